"""One streamed chat answer of an OpenAI-compatible endpoint, and when each part of it came.

data: {"choices": [{"index": 0, "delta": {"content": "par"}, "finish_reason": null}]}
data: {"choices": [{"index": 0, "delta": {"content": "cel"}, "finish_reason": "stop"}]}
data: {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 14}}
data: [DONE]
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ratchet.clients.http import http_client
from ratchet.clients.openai import EngineAway, check_status
from ratchet.core.latency import Timing

Messages = Sequence[dict[str, Any]]
# What a model thinks before it answers is generated, and waited for, as the answer is.
TEXTS = ("content", "reasoning_content", "reasoning")


@dataclass(frozen=True)
class Endpoint:
    """`url` is what /chat/completions comes after, so mostly ends with /v1. `key` is sent as a bearer token.

    `exactly` makes answers `max_tokens` long whatever the model says, and every token visible (extensions of vLLM's).
    `with_usage` asks for the count of tokens, which not every endpoint knows how to give in a stream.
    """

    url: str
    model: str
    max_tokens: int
    exactly: bool = False
    with_usage: bool = True
    key: str = field(default="", repr=False)
    timeout_seconds: float = 60.0  # without a byte


def user_says(prompt: str) -> Messages:
    return [{"role": "user", "content": prompt}]


def stream_chat(endpoint: Endpoint, messages: Messages, due_at: float | None = None) -> Timing:
    """One greedy answer, read to its end.

    Args:
        due_at: when it was meant to be sent, on the clock of time.perf_counter; now if not given.
    Raises:
        EngineAway: nobody answers, or the stream is cut, ends with an error, or is none.
        RequestRefused.
    """
    import httpx

    url, client = f"{endpoint.url}/chat/completions", http_client()  # made once, outside of what is timed
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    due_at = time.perf_counter() if due_at is None else due_at
    try:
        with client.stream(
            "POST", url, json=_body(endpoint, messages), headers=headers, timeout=endpoint.timeout_seconds
        ) as response:
            if not response.is_success:
                response.read()
                check_status(url, response)
            return read_stream(url, response.iter_lines(), due_at)
    except httpx.HTTPError as error:
        raise EngineAway(f"{url} does not answer: {type(error).__name__}: {error}") from error


def read_stream(url: str, lines: Iterable[str], due_at: float) -> Timing:
    """All lines are read, so that the connection can be used again. Raises EngineAway."""
    arrivals = _Arrivals(url)
    for line in lines:
        at = time.perf_counter()
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data != "[DONE]":  # the other lines are comments and names of events
            arrivals.take(data, at)
    return arrivals.timing(due_at)


def _body(endpoint: Endpoint, messages: Messages) -> dict[str, Any]:
    return {
        "model": endpoint.model,
        "messages": list(messages),
        "max_tokens": endpoint.max_tokens,
        "temperature": 0,
        "stream": True,
        **({"stream_options": {"include_usage": True}} if endpoint.with_usage else {}),
        **({"ignore_eos": True, "skip_special_tokens": False} if endpoint.exactly else {}),
    }


@dataclass
class _Arrivals:
    """What came so far. `texts_at` are the times of chunks with text."""

    url: str
    texts_at: list[float] = field(default_factory=list)
    ended_at: float | None = None
    num_tokens: int | None = None

    def take(self, data: str, at: float) -> None:
        """Raises EngineAway for what is no chunk. An engine that is stopped says so in the stream, under HTTP 200."""
        try:
            event = json.loads(data)
            if problem := event.get("error"):
                said = problem.get("message", problem) if isinstance(problem, dict) else problem
                raise EngineAway(f"{self.url} ends the stream with an error: {str(said)[:300]}")
            choice: dict[str, Any] = next(iter(event.get("choices") or ()), {})
            delta, finished = choice.get("delta") or {}, choice.get("finish_reason")
            has_text = any(delta.get(name) for name in TEXTS)
            num_tokens = (event.get("usage") or {}).get("completion_tokens")
        except (ValueError, AttributeError, TypeError) as error:
            raise EngineAway(f"{self.url}: expected chunks of a chat in the stream, got {data[:200]!r}") from error
        if has_text:
            self.texts_at.append(at)
        if finished and self.ended_at is None:
            self.ended_at = at
        if isinstance(num_tokens, int):
            self.num_tokens = num_tokens

    def timing(self, due_at: float) -> Timing:
        """A stream without [DONE] is whole when the answer in it is. Raises EngineAway for one that is not."""
        if self.ended_at is None:
            raise EngineAway(f"{self.url}: the stream ends after {len(self.texts_at)} chunks without a finish_reason")
        return Timing(
            due_at=due_at,
            first_at=self.texts_at[0] if self.texts_at else self.ended_at,
            ended_at=self.ended_at,
            gaps_ms=tuple((after - before) * 1000 for before, after in pairwise(self.texts_at)),
            num_tokens=len(self.texts_at) if self.num_tokens is None else self.num_tokens,
            counted_by="chunks" if self.num_tokens is None else "usage",
        )
