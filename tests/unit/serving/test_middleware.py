"""The middleware around a small ASGI app that answers as vLLM does."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from ratchet.serving.asgi import Message
from ratchet.serving.middleware import Answers


class Engine:
    """Answers a completion with `logprob`, or with `status`; counts what it was asked.

    As vLLM's routes do, it looks for its application in the scope.
    """

    def __init__(self, logprob: float = -0.5, status: int = 200) -> None:
        self.logprob, self.status = logprob, status
        self.asked: list[str] = []

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        assert scope["app"] == "vLLM"
        self.asked.append(scope["path"])
        choice = {"text": "Hi", "logprobs": {"token_logprobs": [self.logprob]}}
        body = json.dumps({"choices": [choice]}).encode()
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"content-type", b"x/y")]})
        await send({"type": "http.response.body", "body": body})


def get(app: Answers, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async def server(scope: Message, receive: Any, send: Any) -> None:
            await app({**scope, "app": "vLLM"}, receive, send)

        transport = httpx.ASGITransport(app=server)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
            return await client.get(path)

    return asyncio.run(ask())


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RATCHET_COLOUR", "green"), ("RATCHET_RELEASE", "support-1"), ("RATCHET_MODEL", "f" * 64)):
        monkeypatch.setenv(name, value)


def test_every_answer_names_its_colour_and_release() -> None:
    headers = get(Answers(Engine()), "/v1/models").headers

    assert (headers["x-ratchet-colour"], headers["x-model-release"]) == ("green", "support-1")
    assert headers["content-type"] == "x/y"
    assert "connection" not in headers


def test_behind_a_service_each_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATCHET_CLOSE_CONNECTIONS", "1")

    assert get(Answers(Engine()), "/v1/models").headers["connection"] == "close"


def test_ready_means_that_a_token_was_generated() -> None:
    engine = Engine()

    assert get(Answers(engine), "/-/ready").status_code == 200
    assert engine.asked == ["/v1/completions"]


@pytest.mark.parametrize(
    ("engine", "said"),
    [(Engine(status=400), "400"), (Engine(status=503), "503"), (Engine(float("nan")), "bad weights")],
)
def test_an_engine_that_generates_nothing_fit_is_not_ready(engine: Engine, said: str) -> None:
    answer = get(Answers(engine), "/-/ready")

    assert answer.status_code == 503
    assert said in answer.text


def test_an_engine_that_just_answered_a_user_needs_no_further_proof() -> None:
    engine = Engine()
    app = Answers(engine)

    get(app, "/v1/chat/completions")

    assert get(app, "/-/ready").status_code == 200
    assert engine.asked == ["/v1/chat/completions"]


def test_a_stream_that_has_begun_but_brings_no_token_is_no_proof() -> None:
    class Hung(Engine):
        """A stream's 200 comes before its first token; this one never gets any."""

        async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
            if scope["path"] != "/v1/chat/completions":
                await send({"type": "http.response.start", "status": 503, "headers": []})
            else:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    app = Answers(Hung())
    get(app, "/v1/chat/completions")

    assert get(app, "/-/ready").status_code == 503


def test_a_stream_begins_with_its_first_token() -> None:
    sent: list[Message] = []

    async def stream(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert sent == []
        for body in (b"", b"par", b"cel"):
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def keep(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/v1/chat/completions", "headers": []}
    asyncio.run(Answers(stream)(scope, None, keep))  # type: ignore[arg-type]

    assert [message.get("status", message.get("body")) for message in sent] == [200, b"par", b"cel", b""]


def test_a_refused_request_of_a_user_is_no_proof() -> None:
    engine = Engine(status=400)
    app = Answers(engine)

    get(app, "/v1/chat/completions")

    assert get(app, "/-/ready").status_code == 503


def test_an_engine_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.serving.middleware.PROBE_SECONDS", 0.05)

    async def hang(scope: Message, receive: Any, send: Any) -> None:
        await asyncio.sleep(30)

    assert get(Answers(hang), "/-/ready").status_code == 503
