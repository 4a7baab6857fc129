"""Put an endpoint under one load after another, and say how it goes."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ratchet.cli.bench.prompts import Prompts
from ratchet.cli.bench.report import Level, LevelResult
from ratchet.clients.http import http_client
from ratchet.clients.load import OnEnd, closed_loop, open_loop, poisson_offsets
from ratchet.clients.openai import RequestRefused
from ratchet.clients.streaming import Endpoint, stream_chat
from ratchet.core.errors import TerminalError
from ratchet.core.latency import Failed, Outcome, Timing, summarise

NUM_WARM_UP = 4
PROGRESS_SECONDS = 5.0


class UnknownModel(TerminalError, LookupError):
    """The endpoint serves other models."""

    code = "REFUSED"


def warm_up(endpoint: Endpoint, prompts: Prompts) -> Endpoint:
    """The endpoint as it can be asked: without a count of tokens if it does not take the question.

    Raises:
        EngineAway, RequestRefused, UnknownModel.
    """
    try:
        stream_chat(endpoint, prompts.at(0))
    except RequestRefused as refused:
        if "stream_options" not in str(refused):
            raise _explained(endpoint, refused) from refused
        endpoint = replace(endpoint, with_usage=False)
    for number in range(1, NUM_WARM_UP):
        stream_chat(endpoint, prompts.at(number))
    return endpoint


def measure(
    endpoint: Endpoint,
    prompts: Prompts,
    levels: Sequence[Level],
    num_requests: int,
    seed: int,
    say: Callable[[str], None],
) -> tuple[LevelResult, ...]:
    """Every level asks `num_requests` further prompts, after those of the warm-up."""
    results = []
    for index, level in enumerate(levels):
        say(f"{level.name}: {num_requests} requests")
        first = NUM_WARM_UP + index * num_requests

        def ask(number: int, due_at: float, first: int = first) -> Timing:
            return stream_chat(endpoint, prompts.at(first + number), due_at)

        on_end = _progress(level, num_requests, say)
        if level.rate_per_second is not None:
            load = open_loop(ask, poisson_offsets(num_requests, level.rate_per_second, seed + index), on_end)
        else:
            load = closed_loop(ask, num_requests, level.concurrency or 1, on_end)
        results.append(LevelResult(level=level, found=summarise(load.outcomes, load.seconds)))
    return tuple(results)


def _progress(level: Level, num_requests: int, say: Callable[[str], None]) -> OnEnd:
    """A line now and then; requests end in many threads."""
    lock, counts, last = threading.Lock(), {"ended": 0, "failed": 0}, [time.monotonic()]

    def on_end(outcome: Outcome) -> None:
        with lock:
            counts["ended"] += 1
            counts["failed"] += isinstance(outcome, Failed)
            if time.monotonic() - last[0] >= PROGRESS_SECONDS:
                last[0] = time.monotonic()
                say(f"{level.name}: {counts['ended']} of {num_requests} ended, {counts['failed'] or 'none'} failed")

    return on_end


def _explained(endpoint: Endpoint, refused: RequestRefused) -> TerminalError:
    known = _models(endpoint)
    if not known or endpoint.model in known:
        return refused
    return UnknownModel(f"{endpoint.url} serves no model {endpoint.model!r}; --model: {', '.join(known)}")


def _models(endpoint: Endpoint) -> list[str]:
    """The names that it takes; none where it does not say."""
    import httpx

    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    try:
        page = http_client().get(f"{endpoint.url}/models", headers=headers, timeout=endpoint.timeout_seconds)
        return [str(model["id"]) for model in page.raise_for_status().json()["data"]]
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return []
