"""The same, measured with and without something in turn: how many times as long it takes, and how sure that is."""

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ratchet.core.means import clustered_mean

ALPHA, POWER = 0.025, 0.8  # of each bound: together they are the interval of 95 %
NUM_BATCHES = 20
HEADER = "| | unseen, median | more when seen | times as much | pairs |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Pair:
    """What the same took, seen and unseen, one right after the other."""

    seen: float
    unseen: float

    @property
    def ratio(self) -> float:
        return self.seen / self.unseen


@dataclass(frozen=True)
class Measured:
    what: str
    unit: str
    pairs: Sequence[Pair]

    def row(self) -> str:
        """Means with their intervals of 95 %: of the pairs' differences, and of their ratios (geometric)."""
        more = interval([pair.seen - pair.unseen for pair in self.pairs])
        times = [math.exp(bound) for bound in interval([math.log(pair.ratio) for pair in self.pairs])]
        unseen = median(pair.unseen for pair in self.pairs)
        return (
            f"| {self.what} | {unseen:.4g} {self.unit} | {more[1]:+.3f} {self.unit} ({more[0]:+.3f} to {more[2]:+.3f}) "
            f"| {times[1]:.3f} ({times[0]:.3f} to {times[2]:.3f}) | {len(self.pairs)} |"
        )


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Student's, over batches of values: its low end, the mean, its high end.

    What disturbs the machine for some seconds disturbs pairs that follow each other: independent are batches of them,
    as of stage's load probe (stage/judge.py).
    """
    batches = [str(number * NUM_BATCHES // len(values)) for number in range(len(values))]
    found = clustered_mean(values, batches, 0.0, ALPHA, POWER)
    return found.low, found.value, found.high


def say(text: str) -> None:
    print(f"{text}; load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
