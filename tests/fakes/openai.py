"""What an engine and the edge answer over HTTP. The same steps meet real vLLM and Envoy in tests/steps/serving."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.streams import Streams
from tests.fakes.web import Answering, listening

from ratchet.clients.openai import COLOUR_HEADER, RELEASE_HEADER

STREAM_HEADERS = {"Transfer-Encoding": "chunked", "Content-Type": "text/event-stream; charset=utf-8"}


@dataclass
class Served:
    """One engine. It answers a prompt with `answers[prompt]`, else with `otherwise`.

    A request that comes before `stalled_until` (time.monotonic) waits for it. `key`: what it asks of a bearer.
    `heard`: the headers of the last request.
    """

    models: set[str] = field(default_factory=set)
    answers: dict[str, str] = field(default_factory=dict)
    otherwise: str = "some_label"
    delay_seconds: float = 0.0
    logprob: float | None = -0.5
    has_nan: bool = False
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    streams: Streams = field(default_factory=Streams)
    stalled_until: float = 0.0
    key: str = ""
    num_asked: int = 0
    heard: dict[str, str] = field(default_factory=dict)

    def edge(self, colour: str, release: str) -> "Served":
        """The same engine as users see it."""
        self.headers = {COLOUR_HEADER: colour, RELEASE_HEADER: release}
        return self

    def reply(self, path: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.num_asked += 1
        time.sleep(self.delay_seconds + max(0.0, self.stalled_until - time.monotonic()))
        if self.status != 200:
            return self.status, {"error": "the engine is broken"}
        if asked["model"] not in self.models:
            return 404, {"error": f"The model {asked['model']} does not exist."}
        if path == "/v1/completions" and self.has_nan:
            return 400, {"error": {"message": "Out of range float values are not JSON compliant", "code": 400}}
        if path == "/v1/completions":
            return 200, {"choices": [{"text": "x", "logprobs": {"token_logprobs": [self.logprob]}}]}
        text = self.answer(asked)
        usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        return 200, {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage}

    def answer(self, asked: dict[str, Any]) -> str:
        return self.answers.get(asked["messages"][0]["content"], self.otherwise)


@contextmanager
def answering(served: Callable[[], Served]) -> Iterator[str]:
    """The URL of a server that asks `served` anew for each request whose behaviour it has."""

    class Handler(Answering):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # as engines do: small writes would wait 40 ms for each other

        def do_POST(self) -> None:
            asked = json.loads(self.body())
            engine = served()
            engine.heard = {name.lower(): value for name, value in self.headers.items()}
            if engine.key and self.headers["Authorization"] != f"Bearer {engine.key}":
                self._say(engine, 401, {"error": "the key is wrong"})
                return
            status, content = engine.reply(self.path, asked)
            if asked.get("stream") and status == 200:
                self._stream(engine, asked)
            else:
                self._say(engine, status, content)

        def do_GET(self) -> None:
            engine = served()
            self._say(engine, 200, {"data": [{"id": name} for name in sorted(engine.models)]})

        def _stream(self, engine: Served, asked: dict[str, Any]) -> None:
            self.send_response(200)
            for name, value in {**engine.headers, **STREAM_HEADERS}.items():
                self.send_header(name, value)
            self.end_headers()
            self.close_connection = engine.streams.ending == "cut"
            with suppress(BrokenPipeError, ConnectionResetError):  # a client that breaks off
                for line in engine.streams.lines(engine.answer(asked), asked):
                    self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                if engine.streams.ending != "cut":
                    self.wfile.write(b"0\r\n\r\n")

        def _say(self, engine: Served, status: int, content: dict[str, Any]) -> None:
            with suppress(BrokenPipeError):  # a client that did not wait for a slow answer
                self.answer(status, json.dumps(content).encode(), engine.headers)

    with listening(Handler) as port:
        yield f"http://127.0.0.1:{port}"
