"""Keeps a share of requests and answers, redacted, for a few days: to see what users ask by now. Off unless asked for.

{"at": "2026-01-05T03:00:00+00:00", "request_id": "9f…", "key": "mia", "release": "support-1", "colour": "blue",
 "prompt": [{"role": "user", "content": "my mail is [email]"}], "answer": ["change_address"]}
"""

import json
import os
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from ratchet.clients.edge_keys import OWN
from ratchet.clients.routes import EDGE_HEADER, KEY_NAME_HEADER
from ratchet.core.log import log
from ratchet.core.redact import redacted
from ratchet.serving.asgi import App, Message, Receive, Send, whole_request

REQUEST_ID_HEADER = "x-request-id"
# JSON: {"folder": "…", "share": 0.01, "days": 7}
CAPTURE_VARIABLE = "RATCHET_CAPTURE"
# Of request and answer together; longer ones are not kept. It bounds what redaction costs the engine's own process.
MAX_BYTES = 64 * 1024


class Capture:
    """ASGI middleware, streams untouched. What goes wrong with keeping is logged, and hinders no answer."""

    def __init__(self, app: App, colour: str, release: str, folder: Path, share: float, days: int) -> None:
        self.app, self.colour, self.release = app, colour, release
        self.folder, self.share, self.days = folder, share, days

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if not is_from_a_user(scope) or random.random() >= self.share:  # noqa: S311 - a sample, no secret
            await self.app(scope, receive, send)
            return
        asked, again = await whole_request(receive)
        pieces: list[bytes] = []
        status, room = 0, MAX_BYTES - len(asked)

        async def listening(message: Message) -> None:
            nonlocal status, room
            status = message.get("status", status)
            room -= len(message.get("body", b""))
            if room >= 0:
                pieces.append(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, again, listening)
        finally:
            if status == 200 and room >= 0:
                self._keep(scope, asked, b"".join(pieces))

    def _keep(self, scope: Message, asked: bytes, answered: bytes) -> None:
        now = datetime.now(UTC)
        headers = _headers(scope)
        try:
            record = {
                "at": now.isoformat(timespec="seconds"),
                "request_id": headers.get(REQUEST_ID_HEADER),
                "key": headers.get(KEY_NAME_HEADER),
                "release": self.release,
                "colour": self.colour,
                "prompt": prompt_of(json.loads(asked)),
                "answer": [redacted(text) for text in answers_of(answered)],
            }
            write(self.folder, f"{now.date()}-{self.colour}.jsonl", record)
            forget(self.folder, now.date() - timedelta(days=self.days))
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            log.warning("an answer was not captured", extra={"error": type(error).__name__})


def capturing(app: App, colour: str, release: str) -> App:
    """`app`, its answers captured if the environment says so."""
    asked = os.environ.get(CAPTURE_VARIABLE)
    if not asked:
        return app
    wish = json.loads(asked)
    return Capture(app, colour, release, Path(wish["folder"]), wish["share"], wish["days"])


def is_from_a_user(scope: Message) -> bool:
    """It came by the edge, and not with Ratchet's own key."""
    headers = _headers(scope)
    return EDGE_HEADER in headers and headers.get(KEY_NAME_HEADER) != OWN


def _headers(scope: Message) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def prompt_of(asked: Any) -> Any:
    """What was said, redacted; of what is no text, its kind."""
    if "messages" in asked:
        return [{"role": redacted(str(m["role"])), "content": _text(m.get("content"))} for m in asked["messages"]]
    return _text(asked["prompt"])


def _text(content: Any) -> Any:
    if isinstance(content, str):
        return redacted(content)
    if isinstance(content, list):
        return [_text(part) for part in content]
    if isinstance(content, dict):
        return redacted(content["text"]) if "text" in content else f"[{redacted(str(content.get('type')))}]"
    return None if content is None else f"[{type(content).__name__}]"


def answers_of(answered: bytes) -> list[str]:
    """The text of each choice, put together from the pieces of a stream: what is to be found may lie across two."""
    texts: dict[int, str] = {}
    for event in _events(answered):
        for choice in event.get("choices", ()):
            said = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
            texts[choice.get("index", 0)] = texts.get(choice.get("index", 0), "") + (said.get("content") or "")
    return [texts[index] for index in sorted(texts)]


def _events(answered: bytes) -> list[Any]:
    if not answered.startswith((b"data:", b":")):
        return [json.loads(answered)]
    data = (line.removeprefix(b"data:").strip() for line in answered.split(b"\n") if line.startswith(b"data:"))
    return [json.loads(event) for event in data if event != b"[DONE]"]


def write(folder: Path, name: str, record: dict[str, Any]) -> None:
    """Append one line to a file that is its owner's alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "replace") + b"\n")


def forget(folder: Path, since: date) -> None:
    """Delete the files of that day and before."""
    for path in folder.glob("????-??-??-*.jsonl"):
        if path.name < f"{since + timedelta(days=1)}":
            path.unlink(missing_ok=True)
