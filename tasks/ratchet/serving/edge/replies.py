"""What the edge itself answers, in the shape of OpenAI's errors, so that their clients raise what they mean."""

from typing import Any

from ratchet.clients.routes import FEEDBACK_PATH
from ratchet.clients.settings import EdgeSettings

# tokens.lua marks a request so that it refuses with words of its own.
SPENT_HEADER = "x-ratchet-spent"
# No engine, none that can be connected to, one that hung up.
AWAY = ("UH", "UF", "UC", "URX", "NC")


def local_replies(edge: EdgeSettings) -> dict[str, Any]:
    """The first entry that fits is the answer. What an engine answers passes as it is."""
    return {
        "mappers": [
            _reply(
                _status(401),
                "No key, or one that this endpoint does not know: send `Authorization: Bearer KEY`. Whoever runs the "
                "endpoint gives keys out (`ratchet keys add NAME`).",
                "invalid_request_error",
                "invalid_api_key",
            ),
            _reply(_marked(SPENT_HEADER), "%LOCAL_REPLY_BODY%", "tokens", "rate_limit_exceeded"),
            _reply(
                _status(429),
                f"This key may make {edge.requests_per_minute} requests per minute: wait for the seconds that the "
                "header retry-after says.",
                "requests",
                "rate_limit_exceeded",
            ),
            _reply(
                _status(413),
                f"The request is larger than {edge.max_request_bytes} bytes: send less at a time.",
                "invalid_request_error",
                "request_too_large",
            ),
            _reply(
                _flags("NR"),
                "There is nothing here: POST /v1/chat/completions or /v1/completions, GET /v1/models.",
                "invalid_request_error",
                "not_found",
            ),
            _reply(
                _flags("SI"),
                "Nothing came for 300 s, so the request was ended: try again.",
                "server_error",
                "timeout",
            ),
            _reply(
                {"and_filter": {"filters": [_flags(*AWAY), _path(FEEDBACK_PATH)]}},
                "Feedback cannot be taken now: send it again later.",
                "server_error",
                "feedback_away",
            ),
            _reply(
                _flags(*AWAY),
                "The model does not answer now, nor did it on a second try: try again in a moment.",
                "server_error",
                "model_away",
            ),
        ]
    }


def _reply(when: dict[str, Any], message: str, kind: str, code: str) -> dict[str, Any]:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return {"filter": when, "body_format_override": {"json_format": {"error": error}}}


def _status(status: int) -> dict[str, Any]:
    # A runtime key is obligatory; nobody sets this one.
    value = {"default_value": status, "runtime_key": "ratchet.unused"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _marked(header: str) -> dict[str, Any]:
    return {"header_filter": {"header": {"name": header, "present_match": True}}}


def _path(path: str) -> dict[str, Any]:
    return {"header_filter": {"header": {"name": ":path", "string_match": {"exact": path}}}}


def _flags(*flags: str) -> dict[str, Any]:
    """Envoy's words for what went wrong."""
    return {"response_flag_filter": {"flags": flags}}
