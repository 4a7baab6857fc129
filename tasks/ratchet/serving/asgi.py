"""The words of ASGI that our middleware uses."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


async def whole_request(receive: Receive) -> tuple[bytes, Receive]:
    """The body, and what an application can receive it from again. Of a client that hung up, what there was of it."""
    parts: list[bytes] = []
    message: Message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    body = b"".join(parts)
    return body, receive if message["type"] == "http.disconnect" else first(body, receive)


def first(body: bytes, receive: Receive) -> Receive:
    """`body` once, then whatever else comes."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
