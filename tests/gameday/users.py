"""Users of the game day: some who ask through the edge, read the answer, and ask again; each request is remembered."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

import httpx
from tests.steps.serving.load import Cut, Users

Outcome = Literal["answered", "failed", "cut"]
NUM_USERS = 3
PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 20.0  # then a user gives up, and counts as failed
QUESTION = "Give a label for: I was charged twice for my order and want my money back"


@dataclass(frozen=True)
class Asked:
    """Seconds on the clock of time.monotonic."""

    begun_at: float
    seconds: float
    outcome: Outcome


@dataclass(frozen=True)
class Noticed:
    """What users noticed in a while. `p99_seconds` is of whole answers; None where nobody got one."""

    num_requests: int
    num_failed: int
    num_cut: int
    p99_seconds: float | None


@dataclass
class Crowd:
    url: str
    model: str
    asked: list[Asked] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        user = Users(self.url, self.model, QUESTION)
        while not self.stop.wait(PAUSE_SECONDS):
            # A connection of its own each time, as from many: an edge that was restarted is found again.
            with httpx.Client(timeout=PATIENCE_SECONDS, trust_env=False) as http:
                self.asked.append(_ask(user, http))


def _ask(user: Users, http: httpx.Client) -> Asked:
    begun_at, outcome = time.monotonic(), "answered"
    try:
        user.ask(http)
    except Cut as cut:
        # The day's model is hardly trained: an answer that is as long as it may be is whole.
        outcome = "answered" if "ended with 'length'" in str(cut) else "cut"
    except (httpx.HTTPError, ValueError, LookupError):
        outcome = "failed"
    return Asked(begun_at, time.monotonic() - begun_at, outcome)


def noticed(asked: Sequence[Asked], since: float, until: float) -> Noticed:
    """Of the requests that were under way in that while."""
    seen = [one for one in asked if one.begun_at <= until and one.begun_at + one.seconds >= since]
    whole = sorted(one.seconds for one in seen if one.outcome == "answered")
    return Noticed(
        num_requests=len(seen),
        num_failed=sum(one.outcome == "failed" for one in seen),
        num_cut=sum(one.outcome == "cut" for one in seen),
        p99_seconds=whole[ceil(0.99 * len(whole)) - 1] if whole else None,
    )


@contextmanager
def crowd(url: str, model: str) -> Iterator[Crowd]:
    asking = Crowd(url, model)
    threads = [threading.Thread(target=asking.run) for _ in range(NUM_USERS)]
    for thread in threads:
        thread.start()
    try:
        yield asking
    finally:
        asking.stop.set()
        for thread in threads:
            thread.join()
