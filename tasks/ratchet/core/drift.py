"""Are the rows of one time like those of another, in lengths, labels and words? Told from what chance alone makes."""

import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean, stdev

from ratchet.core.contract import Contract

# Population stability index: below 0.1 no change to speak of, above 0.25 another population.
# Source: Siddiqi 2006, Credit Risk Scorecards, chapter 9.
WORTH_TELLING = 0.1
# Of 100 ways to deal the same rows out again at random, the one that makes the second largest difference.
NUM_PERMUTATIONS = 100
CHANCE_QUANTILE = 0.99
MAX_WORDS = 1000
MIN_ROWS = 50
# What is usual is known once it has been seen this often; three standard deviations above it is not usual.
MIN_HISTORY = 5
UNUSUAL_DEVIATIONS = 3.0
_NUM_MOVERS = 3
_UNSEEN = 0.5  # of a row, in each category: a share of nothing has no logarithm (Jeffreys' prior)

Row = tuple[str, str]
Categories = list[list[str]]


class Mover(Contract):
    """A category whose share changed most; shares are of all values, 0 to 1."""

    category: str
    before: float
    now: float


class Shift(Contract):
    """How far one feature of the rows moved.

    `psi` is the population stability index, `js` the Jensen-Shannon divergence in bits (0 to 1). `limit` is what `psi`
    must exceed to be told: the largest of the convention, of chance, and of what has been usual.
    """

    feature: str
    psi: float
    js: float
    limit: float
    movers: tuple[Mover, ...]

    @property
    def drifted(self) -> bool:
        return self.psi > self.limit


class Distance(Contract):
    """How far what the rows are about moved: the distance of their embeddings, 0 (the same) to 1.

    `limit` is what it must exceed to be told: the larger of chance and of what has been usual.
    """

    distance: float
    limit: float

    @property
    def drifted(self) -> bool:
        return self.distance > self.limit


@dataclass(frozen=True)
class Feature:
    """`values` gives a row's values of this feature; a row is (text, label)."""

    name: str
    values: Callable[[Row], list[str]]


FEATURES = (
    Feature("length", lambda row: [_length_bin(row[0])]),
    Feature("label", lambda row: [row[1]]),
    Feature("words", lambda row: re.findall(r"\w+", row[0].lower())),
)


# In the history of what is usual, beside the features' names.
EMBEDDING = "embedding"


def shifts(
    now: Sequence[Row],
    before: Sequence[Row],
    usual: Mapping[str, Sequence[float]],
    features: Sequence[Feature] = FEATURES,
) -> tuple[Shift, ...]:
    """One for each feature; none when either side has too few rows to say.

    Args:
        now, before: samples of some thousand rows will do.
        usual: earlier values of `psi` by feature.
    """
    if min(len(now), len(before)) < MIN_ROWS:
        return ()
    found = []
    for feature in features:
        sides = [[feature.values(row) for row in rows] for rows in (now, before)]
        found.append(_shift(feature.name, *_common(sides[0], sides[1]), usual.get(feature.name, ())))
    return tuple(found)


def psi(now: Sequence[float], before: Sequence[float]) -> float:
    """Population stability index of two sequences of shares, all above 0."""
    return math.fsum((p - q) * math.log(p / q) for p, q in zip(now, before, strict=True))


def jensen_shannon(now: Sequence[float], before: Sequence[float]) -> float:
    """Divergence in bits of two sequences of shares, all above 0. Source: Lin 1991, IEEE Trans. Inf. Theory 37."""
    middle = [(p + q) / 2 for p, q in zip(now, before, strict=True)]
    halves = (p * math.log2(p / m) for side in (now, before) for p, m in zip(side, middle, strict=True))
    return math.fsum(halves) / 2


def in_words(shift: Shift) -> str:
    """`label: lost_card 2.0 % before, 31.0 % now; …`"""
    moved = "; ".join(f"{m.category} {m.before:.1%} before, {m.now:.1%} now" for m in shift.movers)
    return f"{shift.feature}: {moved}"


def _shift(name: str, now: Categories, before: Categories, usual: Sequence[float]) -> Shift:
    categories = sorted(set(chain.from_iterable(chain(now, before))))
    shares = _shares(_count(now), categories), _shares(_count(before), categories)
    moved = psi(*shares)
    order = sorted(range(len(categories)), key=lambda at: -abs(shares[0][at] - shares[1][at]))
    return Shift(
        feature=name,
        psi=moved,
        js=jensen_shannon(*shares),
        limit=max(WORTH_TELLING, _by_chance(now, before, categories), unusual(usual)),
        movers=tuple(
            Mover(category=categories[at], before=shares[1][at], now=shares[0][at]) for at in order[:_NUM_MOVERS]
        ),
    )


def _by_chance(now: Categories, before: Categories, categories: Sequence[str]) -> float:
    """What the index exceeds in one of a hundred when all rows come from one place: a permutation test."""
    rows = [*now, *before]
    total = _count(rows)
    dealt = random.Random(0)  # noqa: S311 - nothing is secret here
    values = []
    for _ in range(NUM_PERMUTATIONS):
        dealt.shuffle(rows)
        first = _count(rows[: len(now)])
        values.append(psi(_shares(first, categories), _shares(total - first, categories)))
    return sorted(values)[math.ceil(CHANCE_QUANTILE * NUM_PERMUTATIONS) - 1]


def unusual(usual: Sequence[float]) -> float:
    """What is beyond the usual begins here; 0 as long as too little has been seen to know it."""
    return fmean(usual) + UNUSUAL_DEVIATIONS * stdev(usual) if len(usual) >= MIN_HISTORY else 0.0


def _common(now: Categories, before: Categories) -> tuple[Categories, Categories]:
    """All but the most frequent values become one. Of equally frequent ones none may count as of either side."""
    counts = _count(chain(now, before))
    kept = set(sorted(counts, key=lambda value: (-counts[value], value))[:MAX_WORDS])
    sides = [[[value if value in kept else "…" for value in row] for row in side] for side in (now, before)]
    return sides[0], sides[1]


def _count(rows: Iterable[Iterable[str]]) -> Counter[str]:
    return Counter(chain.from_iterable(rows))


def _shares(counts: Counter[str], categories: Sequence[str]) -> list[float]:
    whole = counts.total() + _UNSEEN * len(categories)
    return [(counts[category] + _UNSEEN) / whole for category in categories]


def _length_bin(text: str) -> str:
    """Four to a doubling, named by the length at which each begins."""
    return f"from {math.ceil(2 ** (int(4 * math.log2(max(len(text), 1))) / 4))} characters"
