"""The same, measured with and without something in turn: how many times as long it takes, and how sure that is."""

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ratchet.core.means import clustered_mean

ALPHA, POWER = 0.025, 0.8  # of each bound: together they are the interval of 95 %
LIMIT = 1.05
NUM_BATCHES = 20
HEADER = "| | unseen, median | more when seen, median | times | 95 % | pairs |\n|---|---|---|---|---|---|"


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
        """The geometric mean of the pairs' ratios, with Student's interval of 95 % over batches of pairs.

        What disturbs the machine for some seconds disturbs pairs that follow each other: independent are batches of
        them, as of stage's load probe (stage/judge.py).
        """
        logs = [math.log(pair.ratio) for pair in self.pairs]
        batches = [str(number * NUM_BATCHES // len(logs)) for number in range(len(logs))]
        found = clustered_mean(logs, batches, math.log(LIMIT), ALPHA, POWER)
        low, ratio, high = (math.exp(value) for value in (found.low, found.value, found.high))
        unseen, more = median(p.unseen for p in self.pairs), median(p.seen - p.unseen for p in self.pairs)
        return (
            f"| {self.what} | {unseen:.4g} {self.unit} | {more:+.3f} {self.unit} | {ratio:.3f} "
            f"| {low:.3f} to {high:.3f} | {len(self.pairs)} |"
        )


def say(text: str) -> None:
    print(f"{text}; load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
