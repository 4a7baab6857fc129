"""One JSON line for each request of a user: who, what, how long, how much; never what was said.

{"at": "2026-01-05T03:00:00.120Z", "key": "mia", "path": "/v1/chat/completions", "status": 200, "flags": "-",
 "colour": "blue", "release": "support-1", "ms_to_first_byte": 31, "ms_to_end": 420, "prompt_tokens": 12, …}
"""

from typing import Any

from ratchet.clients.openai import COLOUR_HEADER, RELEASE_HEADER
from ratchet.clients.routes import HEALTH_PATH, KEY_NAME_HEADER
from ratchet.serving.edge.envoy import extension

# Where the filter that counts tokens (tokens.lua) leaves what it found.
TOKENS = "ratchet"
MAX_REQUEST_ID = 128  # a client may send any
FIELDS = {
    "at": "%START_TIME%",
    "request_id": f"%REQ(x-request-id):{MAX_REQUEST_ID}%",
    "trace": "%TRACE_ID%",  # none without a collector (spans.py)
    "key": f"%REQ({KEY_NAME_HEADER})%",
    "method": "%REQ(:method)%",
    "path": "%PATH(NQ)%",  # a query string may hold anything
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "colour": f"%RESP({COLOUR_HEADER})%",
    "release": f"%RESP({RELEASE_HEADER})%",
    "ms_to_first_byte": "%RESPONSE_DURATION%",
    "ms_to_end": "%DURATION%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "prompt_tokens": f"%DYNAMIC_METADATA({TOKENS}:prompt_tokens)%",
    "completion_tokens": f"%DYNAMIC_METADATA({TOKENS}:completion_tokens)%",
}


def access_log() -> dict[str, Any]:
    """To stdout, which the supervisor keeps and rotates as all logs. The router's own questions are left out."""
    log = extension("access log", "access_loggers.stream.v3.StdoutAccessLog", log_format={"json_format": FIELDS})
    path = {"name": ":path", "string_match": {"exact": HEALTH_PATH}, "invert_match": True}
    return {**log, "filter": {"header_filter": {"header": path}}}
