"""The edge's route file: Envoy's own words for a state, with the state in them."""

import hashlib
import json
from typing import Any

from ratchet.clients.edge_counts import FALLBACK
from ratchet.clients.openai import COLOUR_HEADER, RELEASE_HEADER
from ratchet.core.contract import canonical_json
from ratchet.core.releases import Colour
from ratchet.core.rollout import RouterState

ROUTES_FILE = "routes.json"
ROUTES_NAME = "ratchet"
VERSION_HEADER = "x-ratchet-version"
# How the state in force is asked for: by anybody, and as often as a switch needs.
HEALTH_PATH = "/health"
# The edge's filter that asks for keys, and the header in which it names the key to those behind it.
KEYS_FILTER = "ratchet.keys"
KEY_NAME_HEADER = "x-ratchet-key"
# What came by an edge of ours says so: it takes out of the answer what is for it alone.
EDGE_HEADER = "x-ratchet-edge"
# A client that sends the same value with each request of a conversation stays on one colour throughout a canary.
CONVERSATION_HEADER = "x-conversation-id"
# Users may ask the model and list its name. Everything else that an engine offers (loading adapters, metrics, …) is not
# for them.
USER_PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/models")
# As OpenTelemetry's conventions for generative AI call them.
OPERATIONS = {"/v1/chat/completions": "chat", "/v1/completions": "text_completion"}
# What users say of an answer goes to a service of its own, whichever colour has the users.
FEEDBACK_PATH, FEEDBACK_CLUSTER = "/v1/feedback", "feedback"
# Where a cluster's edges tell that service which answers were given; no route leads users there.
ANSWERS_PATH = "/answers"
# An answer streams for as long as it is; idle_timeout ends one that is stuck.
STREAMED = {"timeout": "0s", "idle_timeout": "300s"}
# Nothing of these requests has reached an engine, so a second try cannot make a second answer.
RETRIED = {"retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 2}
WITHOUT_KEY = {KEYS_FILTER: {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}}
# A second try goes to another priority, which a cluster with a fallback has.
_ANOTHER_COLOUR_FIRST = {
    "name": "envoy.retry_priorities.previous_priorities",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
        "update_frequency": 1,
    },
}
# Until a canary's request is given to production too: twice what a probe waits for a whole answer (clients/openai.py).
# An answer that is not streamed begins when it is whole.
FIRST_BYTE_SECONDS = 60


def routes(state: RouterState | None) -> bytes:
    """The route file: Envoy's RDS response in JSON. Without a state every request is told so."""
    version = version_of(state)
    virtual_host: dict[str, Any] = {
        "name": ROUTES_NAME,
        "domains": ["*"],
        "routes": [_health(state), *_user_routes(state), feedback_route()],
        "response_headers_to_add": [_header(VERSION_HEADER, version)],
    }
    if state:
        virtual_host["metadata"] = {"filter_metadata": {ROUTES_NAME: state.model_dump(mode="json")}}
    resource = {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": ROUTES_NAME,
        "virtual_hosts": [virtual_host],
    }
    return json.dumps({"version_info": version, "resources": [resource]}, indent=1).encode()


def state_of(content: bytes) -> RouterState | None:
    """What `routes` was told. Raises ValueError, LookupError, TypeError or AttributeError for another's file."""
    kept = json.loads(content)["resources"][0]["virtual_hosts"][0].get("metadata")
    return RouterState.model_validate(kept["filter_metadata"][ROUTES_NAME]) if kept else None


def feedback_route() -> dict[str, Any]:
    return {**matching(FEEDBACK_PATH), "route": {"cluster": FEEDBACK_CLUSTER, "retry_policy": RETRIED}}


def version_of(state: RouterState | None) -> str:
    return hashlib.sha256(state.canonical_json()).hexdigest()[:16] if state else "none"


def _health(state: RouterState | None) -> dict[str, Any]:
    serving = {"active": state.active, "release": state.active_release} if state else {"active": None}
    return {
        "match": {"path": HEALTH_PATH},
        "direct_response": _answer(200 if state else 503, serving),
        "typed_per_filter_config": WITHOUT_KEY,
    }


def _user_routes(state: RouterState | None) -> list[dict[str, Any]]:
    if state is None:
        message = "nothing is in production yet: run `ratchet up`"
        error = {"message": message, "type": "server_error", "param": None, "code": "nothing_in_production"}
        nothing = _answer(503, {"error": error})
        return [{**matching(path), "direct_response": nothing} for path in USER_PATHS]
    return [{**matching(path), "route": _to_colours(state)} for path in USER_PATHS]


def matching(path: str) -> dict[str, Any]:
    """A route of that path, under a name and with a tag that only a request's span shows (serving/edge/spans.py)."""
    operation = {"tag": "gen_ai.operation.name", "literal": {"value": OPERATIONS[path]}} if path in OPERATIONS else None
    return {"match": {"path": path}, "name": path, **({"tracing": {"custom_tags": [operation]}} if operation else {})}


def _to_colours(state: RouterState) -> dict[str, Any]:
    # The active colour first: as the canary's share grows at the end, those that have it keep it.
    weights = sorted(state.weights.items(), key=lambda item: item[0] != state.active)
    return {
        "weighted_clusters": {
            "clusters": [_cluster(state, colour, weight) for colour, weight in weights if weight],
            "use_hash_policy": True,
        },
        "hash_policy": [{"header": {"header_name": CONVERSATION_HEADER}}],
        "request_mirror_policies": [{"cluster": state.shadow}] if state.shadow else [],
        **STREAMED,
        **(_second_try_of_a_canary() if all(state.weights.values()) else {"retry_policy": RETRIED}),
    }


def _second_try_of_a_canary() -> dict[str, Any]:
    """Production answers too where the candidate has not begun to: it died, or it hangs.

    A request that waits is not taken from the candidate, which may be slow but alive: whichever engine begins first
    answers, and the other try is ended. An answer that has begun is never tried again. Envoy knows no such rule for one
    of two clusters, so production's share is tried again by production, three requests at a time (Envoy's default).
    """
    return {
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset",
            "num_retries": 1,
            "retry_priority": _ANOTHER_COLOUR_FIRST,
            "per_try_timeout": f"{FIRST_BYTE_SECONDS}s",
        },
        "hedge_policy": {"hedge_on_per_try_timeout": True},
    }


def fallback_of(colour: Colour) -> str:
    """Envoy's name for "this colour, and the other one while it cannot be connected to"."""
    return f"{colour}{FALLBACK}"


def _cluster(state: RouterState, colour: Colour, weight: int) -> dict[str, Any]:
    return {
        "name": fallback_of(colour) if colour == state.canary else colour,
        "weight": weight,
        "response_headers_to_add": [
            _header(COLOUR_HEADER, colour),
            _header(RELEASE_HEADER, state.releases.get(colour, "unknown")),
        ],
    }


def _header(name: str, value: str) -> dict[str, Any]:
    """What the engine says of itself is nearer to the truth: a canary's request may have fallen back."""
    return {
        "header": {"key": name, "value": value.replace("%", "%%")},  # % begins one of Envoy's variables
        "append_action": "ADD_IF_ABSENT",
    }


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"status": status, "body": {"inline_string": canonical_json(body).decode()}}
