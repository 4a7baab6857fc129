"""How Envoy names the types of its configuration."""

from pathlib import Path
from typing import Any

EXTENSIONS = "type.googleapis.com/envoy.extensions."


def extension(name: str, message: str, **fields: Any) -> dict[str, Any]:
    """One of Envoy's extensions: `message` is its type below envoy.extensions."""
    return {"name": name, "typed_config": typed(message, **fields)}


def typed(message: str, **fields: Any) -> dict[str, Any]:
    return {"@type": EXTENSIONS + message, **fields}


def watched(path: Path) -> dict[str, Any]:
    """A source of configuration: a file, read again whenever a new one is renamed into its place."""
    return {
        "resource_api_version": "V3",
        "path_config_source": {"path": str(path), "watched_directory": {"path": str(path.parent)}},
    }
