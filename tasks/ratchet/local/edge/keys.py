"""The keys as Envoy reads them: one filter's configuration, in a file that it watches. A change needs no restart."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ratchet.clients.edge_keys import with_own_key
from ratchet.clients.files import replace_file
from ratchet.clients.router import KEY_NAME_HEADER, KEYS_FILTER
from ratchet.clients.settings import Settings
from ratchet.local.edge.envoy import typed

API_KEYS = "filters.http.api_key_auth.v3.ApiKeyAuth"
NO_KEYS = "filters.http.header_mutation.v3.HeaderMutation"
# The official clients cannot be made to send none.
AUTHORIZATION = "authorization"


def keys_path(settings: Settings) -> Path:
    return settings.state / "router" / "keys.json"


def write_keys(settings: Settings) -> None:
    """Tell the edge who may ask. The file holds keys: it is its owner's alone. Raises BrokenKeys."""
    keys_filter = _filter(with_own_key(settings))
    resource = {
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": KEYS_FILTER,
        "typed_config": keys_filter,
    }
    version = hashlib.sha256(json.dumps(keys_filter).encode()).hexdigest()
    replace_file(keys_path(settings), json.dumps({"version_info": version, "resources": [resource]}, indent=1).encode())


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
