"""A stream tells its usage to whoever wants it: the client, or only the edge."""

import asyncio
import json
from typing import Any

import pytest

from ratchet.serving.asgi import Message
from ratchet.serving.middleware import Answers
from ratchet.serving.usage import with_usage, without_usage

TEXT = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"


class Engine:
    """Streams as vLLM does: the usage only to who asks for it. `heard` is the request's body, `length` what it said."""

    def __init__(self) -> None:
        self.heard: Any = None
        self.length = ""

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        self.heard, self.length = json.loads(body), dict(scope["headers"])[b"content-length"].decode()
        assert self.length == str(len(body))
        usage = [USAGE] if (self.heard.get("stream_options") or {}).get("include_usage") else []
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (TEXT, *usage, DONE):
            await send({"type": "http.response.body", "body": piece, "more_body": piece != DONE})


BY_THE_EDGE = (b"x-ratchet-edge", b"1")


def sent(engine: Engine, asked: dict[str, Any], num_parts: int = 1, by_the_edge: bool = True) -> list[bytes]:
    """The pieces of the answer, to a request that arrives in parts."""
    body = json.dumps(asked).encode()
    size = len(body) // num_parts + 1
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    pieces: list[bytes] = []

    async def receive() -> Message:
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            pieces.append(message["body"])

    headers = [(b"content-length", str(len(body)).encode()), *([BY_THE_EDGE] if by_the_edge else [])]
    scope = {"type": "http", "path": "/v1/chat/completions", "headers": headers}
    asyncio.run(Answers(engine)(scope, receive, send))
    return pieces


@pytest.mark.parametrize("num_parts", [1, 3])
def test_a_client_that_did_not_ask_gets_the_usage_as_a_comment_and_no_chunk_more(num_parts: int) -> None:
    pieces = sent(Engine(), {"stream": True, "messages": []}, num_parts)

    assert pieces == [TEXT, USAGE.replace(b"data:", b":", 1), DONE]


def test_who_asks_the_engine_itself_gets_what_it_says() -> None:
    assert sent(Engine(), {"stream": True}, by_the_edge=False) == [TEXT, DONE]


def test_a_client_that_asked_gets_the_chunk() -> None:
    assert sent(Engine(), {"stream": True, "stream_options": {"include_usage": True}}) == [TEXT, USAGE, DONE]


def test_what_a_client_says_else_stays_as_it_is() -> None:
    engine = Engine()
    asked = {"stream": True, "messages": [{"role": "user", "content": "naïve ☂"}], "stream_options": {"other": 1}}

    sent(engine, asked)

    assert engine.heard == {**asked, "stream_options": {"other": 1, "include_usage": True}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"stream": tru',
        b'["stream"]',
        b'{"stream": false}',
        b'{"messages": "stream"}',
        b'{"stream": true, "stream_options": 7}',
        b'{"stream": true, "x": ' + b"[" * 100_000,
        b'{"stream": true, "stream_options": {"include_usage": true}}',
    ],
)
def test_other_bodies_pass_as_they_are(body: bytes) -> None:
    assert with_usage(body) is None


def test_a_model_that_writes_about_usage_is_not_silenced() -> None:
    said = json.dumps({"choices": [{"delta": {"content": '"choices":[],"usage":{'}}]}, separators=(",", ":"))
    event = f"data: {said}\n\n".encode()

    assert without_usage(event) == event
    assert without_usage(event + USAGE) == event + USAGE.replace(b"data:", b":", 1)


def test_a_client_that_hangs_up_before_it_has_asked_is_passed_on_as_that() -> None:
    seen: list[str] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        seen.append((await receive())["type"])

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None: ...

    asyncio.run(Answers(app)({"type": "http", "path": "/v1/completions", "headers": [BY_THE_EDGE]}, receive, send))

    assert seen == ["http.disconnect"]
