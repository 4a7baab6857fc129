"""In the adapter lane only the release's names are answered, and never by the base beneath it.

vLLM must name the base: it lists it, and answers with it whoever asks by that name or by none. Here a request without
a name is for the line, as in the merged lane; any other name is unknown; and the list is of the release's names. Loaded
by `--middleware`.
"""

import json
import os
from typing import Any

from ratchet.serving.asgi import App, Message, Receive, Send, first, whole_request

API, MODELS_PATH = "/v1/", "/v1/models"
NAMES_VARIABLE = "RATCHET_NAMES"  # with spaces between them, the line's first


class OnlyTheRelease:
    """ASGI middleware; answers stream untouched."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.names = os.environ[NAMES_VARIABLE].split()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        method, path = scope.get("method"), scope.get("path", "")
        if method == "GET" and path == MODELS_PATH:
            await self._list(scope, receive, send)
        elif method == "POST" and path.startswith(API):
            await self._ask(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _ask(self, scope: Message, receive: Receive, send: Send) -> None:
        body, again = await whole_request(receive)
        asked = _parsed(body)
        if isinstance(asked, dict):
            if not asked.get("model"):
                body = json.dumps({**asked, "model": self.names[0]}).encode()
                again = first(body, receive)
            elif asked["model"] not in self.names:
                await _refuse(send, asked["model"])
                return
        await self.app(_with_length(scope, len(body)), again, send)

    async def _list(self, scope: Message, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = b""

        async def keep(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            else:
                body += message.get("body", b"")

        await self.app(scope, receive, keep)
        listed = _parsed(body)
        if isinstance(listed, dict) and "data" in listed:
            listed["data"] = [card for card in listed["data"] if card["id"] in self.names]
            body = json.dumps(listed).encode()
        await send(_with_length(start, len(body)))
        await send({"type": "http.response.body", "body": body})


def _parsed(body: bytes) -> Any:
    """None for what is no JSON: vLLM says what is wrong with it."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _with_length(message: Message, num_bytes: int) -> Message:
    headers = [(name, value) for name, value in message.get("headers", ()) if name.lower() != b"content-length"]
    return {**message, "headers": [*headers, (b"content-length", str(num_bytes).encode())]}


async def _refuse(send: Send, name: Any) -> None:
    """As vLLM refuses a name that it does not have."""
    error = {"message": f"The model `{name}` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json")]
    await send(_with_length({"type": "http.response.start", "status": 404, "headers": headers}, len(body)))
    await send({"type": "http.response.body", "body": body})
