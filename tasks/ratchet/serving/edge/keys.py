"""The keys as Envoy reads them: one filter's configuration, in a file that it watches. A change needs no restart."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ratchet.clients.files import replace_file
from ratchet.clients.routes import KEY_NAME_HEADER, KEYS_FILTER
from ratchet.serving.edge.envoy import typed

API_KEYS = "filters.http.api_key_auth.v3.ApiKeyAuth"
NO_KEYS = "filters.http.header_mutation.v3.HeaderMutation"
# The official clients cannot be made to send none.
AUTHORIZATION = "authorization"


KEYS_FILE = "keys.json"


def write_keys(path: Path, keys: dict[str, str] | None) -> None:
    """Tell the edge that watches `path`. The file holds keys: it is its owner's alone."""
    keys_filter = _filter(keys)
    resource = {
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": KEYS_FILTER,
        "typed_config": keys_filter,
    }
    version = hashlib.sha256(json.dumps(keys_filter).encode()).hexdigest()
    replace_file(path, json.dumps({"version_info": version, "resources": [resource]}, indent=1).encode())


def _filter(keys: dict[str, str] | None) -> dict[str, Any]:
    """Either way no engine sees what a client said of itself."""
    if keys is None:
        return typed(NO_KEYS, mutations={"request_mutations": [{"remove": AUTHORIZATION}]})
    return typed(
        API_KEYS,
        credentials=[{"key": key, "client": name} for name, key in keys.items()],
        key_sources=[{"header": AUTHORIZATION}],
        forwarding={"header": KEY_NAME_HEADER, "hide_credentials": True},
    )
