"""What a request of a user passes, in this order, before it is sent to a colour."""

from importlib import resources
from pathlib import Path
from typing import Any

from ratchet.clients.edge_keys import OWN
from ratchet.clients.routes import EDGE_HEADER, KEY_NAME_HEADER, KEYS_FILTER
from ratchet.clients.settings import EdgeSettings
from ratchet.serving.edge.envoy import EXTENSIONS, extension, watched
from ratchet.serving.edge.keys import API_KEYS, NO_KEYS
from ratchet.serving.edge.replies import SPENT_HEADER

MAX_KEYS = 10_000  # each has a bucket for its requests; Envoy's own bound is 20
ALWAYS = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
NEVER_EMPTY = {"max_tokens": 1_000_000_000, "fill_interval": "60s"}


def http_filters(edge: EdgeSettings, keys: Path) -> list[dict[str, Any]]:
    return [
        _strip(),
        {
            "name": KEYS_FILTER,
            "config_discovery": {
                "config_source": watched(keys),
                "type_urls": [EXTENSIONS + API_KEYS, EXTENSIONS + NO_KEYS],
            },
        },
        *([_requests(edge.requests_per_minute)] if edge.requests_per_minute else []),
        _tokens(edge),
        extension("ratchet.size", "filters.http.buffer.v3.Buffer", max_request_bytes=edge.max_request_bytes),
        extension("envoy.filters.http.router", "filters.http.router.v3.Router"),
    ]


def _strip() -> dict[str, Any]:
    """Nobody says from outside what only the edge says inside."""
    removed = [{"remove": header} for header in (KEY_NAME_HEADER, SPENT_HEADER)]
    said = {"header": {"key": EDGE_HEADER, "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return extension("ratchet.strip", NO_KEYS, mutations={"request_mutations": [*removed, {"append": said}]})


def _requests(per_minute: int) -> dict[str, Any]:
    """A bucket per key, filled evenly. Ratchet's own probes are not counted: users must not make a bake fail."""
    bucket = {"max_tokens": per_minute, "tokens_per_fill": per_minute, "fill_interval": "60s"}
    by_key = {"request_headers": {"header_name": KEY_NAME_HEADER, "descriptor_key": "key"}}
    return extension(
        "ratchet.requests",
        "filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="requests",
        filter_enabled=ALWAYS,
        filter_enforced=ALWAYS,
        rate_limits=[{"actions": [by_key]}],
        descriptors=[
            {"entries": [{"key": "key", "value": OWN}], "token_bucket": NEVER_EMPTY},
            {"entries": [{"key": "key"}], "token_bucket": bucket},
        ],
        max_dynamic_descriptors=MAX_KEYS,
        # For requests without a key: an obligatory bucket, and not one that all share.
        token_bucket=NEVER_EMPTY,
        always_consume_default_token_bucket=False,
        enable_retry_after_header=True,
    )


def _tokens(edge: EdgeSettings) -> dict[str, Any]:
    """No filter of Envoy's takes what an answer used from a budget, so this one is a script."""
    script = resources.files(__package__).joinpath("tokens.lua").read_text("utf-8")
    budgets = {"tokens_per_minute": edge.tokens_per_minute, "tokens_per_day": edge.tokens_per_day}
    return extension(
        "ratchet.tokens",
        "filters.http.lua.v3.Lua",
        default_source_code={"inline_string": script},
        filter_context={"own": OWN, **{name: limit for name, limit in budgets.items() if limit}},
    )
