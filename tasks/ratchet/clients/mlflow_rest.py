"""What MLflow says, by its REST API: its own client is not in the command line's environment."""

from typing import Any

from ratchet.clients.http import http_client
from ratchet.clients.registry import MODEL_TAG, RegistryRefused, RegistryUnavailable

TIMEOUT_SECONDS = 20.0
_ABSENT = "RESOURCE_DOES_NOT_EXIST"


class NotRegistered(RegistryRefused, LookupError):
    """MLflow has no such model or version."""


def aliases(url: str, line: str) -> dict[str, str]:
    """Alias to model digest; empty when the line is not registered yet. Raises RegistryUnavailable, RegistryRefused."""
    try:
        found = _get(url, "registered-models/get", {"name": line})["registered_model"]
    except NotRegistered:
        return {}
    return {entry["alias"]: digest_of_version(url, line, str(entry["version"])) for entry in found.get("aliases", ())}


def digest_of_version(url: str, line: str, version: str) -> str:
    """Empty for a version that is not Ratchet's. Raises NotRegistered too."""
    found = _get(url, "model-versions/get", {"name": line, "version": version})["model_version"]
    return next((str(tag["value"]) for tag in found.get("tags", ()) if tag["key"] == MODEL_TAG), "")


def _get(url: str, path: str, asked: dict[str, str]) -> Any:
    import httpx

    try:
        response = http_client().get(f"{url}/api/2.0/mlflow/{path}", params=asked, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        raise RegistryUnavailable(f"{url} does not answer ({error}); `ratchet up` starts it") from error
    if response.is_server_error:
        raise RegistryUnavailable(f"{url} answers {response.status_code}: {response.text[:200]}")
    if response.is_error:
        kind = NotRegistered if _ABSENT in response.text else RegistryRefused
        raise kind(f"MLflow at {url} refuses {path} of {asked}: {response.text[:200]}")
    return response.json()
