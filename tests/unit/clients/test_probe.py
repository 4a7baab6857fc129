import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from ratchet.clients.probe import wait_until, why_not_answering
from tests.fakes.release_world import chatting

pytest.importorskip("httpx")


def _engine(answer: Any, status: int = 200, models: Any = None, delay_seconds: float = 0.0) -> type:
    """An engine whose chats are answered with `answer`: plain data, or bytes as they are."""

    class Handler(BaseHTTPRequestHandler):
        asked: dict[str, Any]

        def do_GET(self) -> None:
            self._send(models if models is not None else {"data": [{"id": "support"}]}, 200)

        def do_POST(self) -> None:
            type(self).asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(delay_seconds)
            self._send(answer, status)

        def _send(self, data: Any, code: int) -> None:
            body = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    return Handler


def _answer(text: str, *logprobs: float) -> dict[str, Any]:
    tokens = [{"token": "x", "logprob": value} for value in logprobs]
    return {"choices": [{"message": {"content": text}, "logprobs": {"content": tokens}}]}


def test_an_engine_that_chats_is_ready() -> None:
    handler = _engine(_answer("Hi", -0.5, 0.0))
    with chatting(handler) as url:
        assert why_not_answering(url) is None

    assert handler.asked["model"] == "support"  # type: ignore[attr-defined]
    assert handler.asked["logprobs"] is True  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (_engine(_answer("", -0.5)), "empty text"),
        (_engine(_answer("Hi", -0.5, float("nan"))), "not finite"),
        (_engine(_answer("Hi", float("-inf"))), "not finite"),
        (_engine(_answer("Hi")), "not finite"),
        (_engine({"error": "busy"}, status=500), "500"),
        (_engine({"error": "no model"}, status=404), "404"),
        (_engine(b"<html>"), "not a chat completion"),
        (_engine({"choices": []}), "not a chat completion"),
        (_engine({"choices": [{"message": {"content": "Hi"}, "logprobs": None}]}), "not a chat completion"),
        (_engine({}, models={"data": []}), "not a chat completion"),
    ],
    ids=["empty text", "NaN", "-inf", "no tokens", "500", "404", "HTML", "no choice", "no logprobs", "no model"],
)
def test_an_engine_that_only_looks_healthy_is_not_ready(handler: type[BaseHTTPRequestHandler], why: str) -> None:
    with chatting(handler) as url:
        assert why in (why_not_answering(url) or "")


def test_an_engine_that_takes_too_long_is_not_ready() -> None:
    with chatting(_engine(_answer("Hi", -0.5), delay_seconds=0.5)) as url:
        assert "does not answer a chat" in (why_not_answering(url, timeout_seconds=0.1) or "")


def test_no_engine_is_not_ready() -> None:
    assert "does not answer a chat" in (why_not_answering("http://127.0.0.1:9") or "")


def test_waiting_ends_with_the_condition_or_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.clients.probe.POLL_SECONDS", 0.01)
    answers = iter([False, False, True])

    assert wait_until(lambda: next(answers), timeout_seconds=5)
    assert not wait_until(lambda: False, timeout_seconds=0.05)
