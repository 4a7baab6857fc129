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


@dataclass
class Users:
    """`answers` counts whole answers by (release header, text); `failures` says what was wrong with the others."""

    url: str
    model: str
    prompt: str
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def num_requests(self) -> int:
        return self.answers.total() + len(self.failures)

    def run(self) -> None:
        with httpx.Client(timeout=60.0, trust_env=False) as http:
            while not self.stop.is_set():
                try:
                    self.answers[self._stream(http)] += 1
                except (httpx.HTTPError, ValueError) as error:
                    self.failures.append(f"{type(error).__name__}: {error}")

    def _stream(self, http: httpx.Client) -> tuple[str, str]:
        """An engine that is stopped cuts a stream under HTTP 200, with an error event and a [DONE] after it."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": self.prompt}],
            "max_tokens": 32,
            "temperature": 0,
            "stream": True,
        }
        text, ended = "", None
        with http.stream("POST", f"{self.url}/v1/chat/completions", json=body) as response:
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"HTTP {response.status_code}: {response.read()[:200]!r}")
            lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
            release = response.headers[RELEASE_HEADER]
        if lines[-1] != "[DONE]":
            raise ValueError(f"the stream ends with {lines[-1]!r}")
        for event in map(json.loads, lines[:-1]):
            if "error" in event:
                raise ValueError(f"in the stream: {event['error']}")
            for choice in event["choices"]:
                text += choice["delta"].get("content") or ""
                ended = choice["finish_reason"] or ended
        if ended != "stop":
            raise ValueError(f"the answer {text!r} ended with {ended!r}")
        return release, text


@contextmanager
def users(url: str, model: str, prompt: str, num_threads: int = 4) -> Iterator[Users]:
    load = Users(url, model, prompt)
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
