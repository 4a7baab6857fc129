"""Users: threads that stream chats through the edge without a break, and look at every byte of what comes back."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from ratchet.clients.openai import RELEASE_HEADER

AFTER_A_FAILURE_SECONDS = 0.05


class Cut(ValueError):
    """An answer that had begun did not come to its end."""


@dataclass(frozen=True)
class Answered:
    """A whole answer; times in seconds on the clock of time.perf_counter."""

    begun_at: float
    first_at: float
    ended_at: float
    release: str
    text: str


@dataclass
class Users:
    """`answers` counts whole answers by (release header, text); `failures` says what was wrong with the others.

    With `num_tokens` every answer is as long, whatever the model says.
    """

    url: str
    model: str
    prompt: str
    num_tokens: int | None = None
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    seen: list[Answered] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def num_requests(self) -> int:
        return self.answers.total() + len(self.failures)

    def run(self) -> None:
        with httpx.Client(timeout=60.0, trust_env=False) as http:
            while not self.stop.is_set():
                try:
                    answered = self.ask(http)
                except (httpx.HTTPError, ValueError) as error:
                    self.failures.append(f"{type(error).__name__}: {error}")
                    self.stop.wait(AFTER_A_FAILURE_SECONDS)
                else:
                    self.answers[answered.release, answered.text] += 1
                    self.seen.append(answered)

    def ask(self, http: httpx.Client) -> Answered:
        """An engine that is stopped cuts a stream under HTTP 200, with an error event and a [DONE] after it."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": self.prompt}],
            "max_tokens": self.num_tokens or 32,
            "temperature": 0,
            "stream": True,
            **({"ignore_eos": True} if self.num_tokens else {}),
        }
        lines, first_at, begun_at = [], 0.0, time.perf_counter()
        with http.stream("POST", f"{self.url}/v1/chat/completions", json=body) as response:
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"HTTP {response.status_code}: {response.read()[:200]!r}")
            try:
                for line in filter(None, response.iter_lines()):
                    first_at = first_at or time.perf_counter()
                    lines.append(line.removeprefix("data: "))
            except httpx.HTTPError as error:
                raise Cut(f"{type(error).__name__} after {len(lines)} lines") from error
            release = response.headers[RELEASE_HEADER]
        return Answered(begun_at, first_at, time.perf_counter(), release, self._text(lines))

    def _text(self, lines: list[str]) -> str:
        """Raises Cut unless the answer is whole."""
        text, ended = "", None
        if not lines or lines[-1] != "[DONE]":
            raise Cut(f"the stream ends with {lines[-1:]!r}")
        for event in map(json.loads, lines[:-1]):
            if "error" in event:
                raise Cut(f"in the stream: {event['error']}")
            for choice in event["choices"]:
                text += choice["delta"].get("content") or ""
                ended = choice["finish_reason"] or ended
        if ended != ("length" if self.num_tokens else "stop"):
            raise Cut(f"the answer {text!r} ended with {ended!r}")
        return text


@contextmanager
def users(url: str, model: str, prompt: str, num_threads: int = 4, num_tokens: int | None = None) -> Iterator[Users]:
    load = Users(url, model, prompt, num_tokens)
    threads = [threading.Thread(target=load.run) for _ in range(num_threads)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        for thread in threads:
            thread.join()


def wait_for_requests(load: Users, more: int) -> None:
    """Return after `more` further requests, so that each phase of a test is seen by users."""
    until, deadline = load.num_requests + more, time.monotonic() + 60
    while load.num_requests < until:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{load.num_requests} of {until} requests after 60 s; failures: {load.failures[-3:]}")
        time.sleep(0.01)
