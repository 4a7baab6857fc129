"""Every stream tells how many tokens it used: the client that asked, else the edge alone, which counts by it.

A client that did not ask must see no chunk more than it expects, so there the chunk becomes a comment of the stream,
which the edge takes out (edge/tokens.lua). A request that came by no edge of ours passes as it is.
: {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 14}}
"""

import json

from ratchet.clients.routes import EDGE_HEADER
from ratchet.serving.asgi import Message, Receive, Send, first, whole_request

CONTENT_LENGTH = b"content-length"


async def telling_usage(scope: Message, receive: Receive, send: Send) -> tuple[Message, Receive, Send]:
    """What to give to the engine instead."""
    if (EDGE_HEADER.encode(), b"1") not in scope["headers"]:
        return scope, receive, send
    body, again = await whole_request(receive)
    asking = with_usage(body)
    if asking is None:
        return scope, again, send
    headers = [(name, value) for name, value in scope["headers"] if name != CONTENT_LENGTH]
    length = (CONTENT_LENGTH, str(len(asking)).encode())
    return {**scope, "headers": [*headers, length]}, first(asking, receive), _quietly(send)


def with_usage(body: bytes) -> bytes | None:
    """The request with the wish to be told; None where there is no stream, or the client has the wish itself."""
    if b"stream" not in body:
        return None
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):  # the engine says what is wrong with it
        return None
    if not isinstance(asked, dict) or asked.get("stream") is not True:
        return None
    options = asked.get("stream_options") or {}
    if not isinstance(options, dict) or options.get("include_usage"):
        return None
    return json.dumps({**asked, "stream_options": {**options, "include_usage": True}}).encode()


def without_usage(piece: bytes) -> bytes:
    """A piece of a stream, whole events, in which those that tell nothing but the usage are comments."""
    if b'"usage"' not in piece:
        return piece
    events = piece.split(b"\n\n")
    return b"\n\n".join(event.replace(b"data:", b":", 1) if _tells_only_usage(event) else event for event in events)


def _tells_only_usage(event: bytes) -> bool:
    # What a model says has its quotes escaped, so it cannot look like this.
    return event.startswith(b"data:") and b'"choices":[]' in event and b'"usage":{' in event


def _quietly(send: Send) -> Send:
    async def quiet(message: Message) -> None:
        if message.get("body"):
            message["body"] = without_usage(message["body"])
        await send(message)

    return quiet
