"""Is an engine fit for users now? Its health page says yes while it drains and with NaN weights; an answer does not."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ratchet.clients.openai import EngineAway, RequestRefused, chat, check_numbers, timed_chat
from ratchet.core.errors import RatchetError
from ratchet.core.golden import Golden, agrees

QUESTION = "Hello, who are you?"
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Probe:
    """One request as users make it. `problem` is why it failed; the other fields are of those that were answered.

    A golden probe has `agrees`, a timed one has `latency_ms`.
    """

    problem: str | None = None
    release: str | None = None
    latency_ms: float | None = None
    agrees: bool | None = None


def probe(url: str, line: str, asked: Golden, max_tokens: int, *, timed: bool, key: str = "") -> Probe:
    try:
        if timed:
            answer = timed_chat(url, line, asked.prompt, key)
            return Probe(release=answer.release, latency_ms=answer.latency_ms)
        answer = chat(url, line, asked.prompt, max_tokens, key=key)
        return Probe(release=answer.release, agrees=agrees(asked, answer.text, answer.truncated))
    except (EngineAway, RequestRefused) as error:
        return Probe(problem=str(error))


def why_not_serving(url: str, model_sha256: str) -> str | None:
    """None when the engine at `url` answers with finite numbers under the model's digest, which is one of its names."""
    try:
        check_numbers(url, model_sha256, QUESTION)
    except RatchetError as error:
        return str(error)
    return None


def wait_until(ready: Callable[[], bool], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
