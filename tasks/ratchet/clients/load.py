"""Many requests at once, as a fixed number of users send them (closed loop) or as a crowd does (open loop).

In a closed loop a slow server is asked less: while it stalls, nobody asks, and one slow answer stands for all the users
who would have come meanwhile. In an open loop requests are due at times that no answer moves, and latency counts from
there, so that a stall is seen by everyone who would have met it.
Source: Schroeder, Wierman and Harchol-Balter 2006, Open versus closed: a cautionary tale, NSDI; Tene 2013, How not to
measure latency, which calls the first one's error coordinated omission.
"""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate

from ratchet.core.errors import RatchetError
from ratchet.core.latency import Failed, Outcome, Timing

# The number of the request, and when it is due on the clock of time.perf_counter.
Ask = Callable[[int, float], Timing]
OnEnd = Callable[[Outcome], None]


@dataclass(frozen=True)
class Load:
    """`outcomes` in the order in which the requests were due; `seconds` from the first one to the last end."""

    outcomes: tuple[Outcome, ...]
    seconds: float


def closed_loop(ask: Ask, num_requests: int, concurrency: int, on_end: OnEnd) -> Load:
    """`concurrency` users, each with one request under way until `num_requests` were sent.

    Args:
        on_end: is told of each end, in the thread of whichever request it was.
    """
    started = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as users:
        outcomes = tuple(
            users.map(lambda number: _ended(ask, number, time.perf_counter(), on_end), range(num_requests))
        )
        return Load(outcomes, time.perf_counter() - started)


def open_loop(ask: Ask, offsets: Sequence[float], on_end: OnEnd) -> Load:
    """One request at each of `offsets`, in seconds from now and ascending, however many are under way."""
    with ThreadPoolExecutor(len(offsets)) as users:
        started = time.perf_counter()
        sent = []
        for number, offset in enumerate(offsets):
            time.sleep(max(0.0, started + offset - time.perf_counter()))
            sent.append(users.submit(_ended, ask, number, started + offset, on_end))
        outcomes = tuple(future.result() for future in sent)
        return Load(outcomes, time.perf_counter() - started)


def poisson_offsets(num_requests: int, rate_per_second: float, seed: int) -> tuple[float, ...]:
    """When requests arrive that know nothing of each other: the gaps between them are exponential."""
    rng = random.Random(seed)  # noqa: S311 (arrivals, not secrets)
    return tuple(accumulate(rng.expovariate(rate_per_second) for _ in range(num_requests)))


def _ended(ask: Ask, number: int, due_at: float, on_end: OnEnd) -> Outcome:
    try:
        outcome: Outcome = ask(number, due_at)
    except RatchetError as error:
        outcome = Failed(str(error))
    on_end(outcome)
    return outcome
