"""Right or wrong, on the same samples: how sure a share, or the difference of two, is above or below a threshold.

paired samples   d = (gained − lost) / n    Tango's score test; exact and unconditional for few pairs
samples          a share                    Clopper and Pearson
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from ratchet.core.distributions import binomial_tail, normal_cdf, root
from ratchet.core.estimate import NO_DISTANCE, Estimate, Planning

EXACT_UP_TO_PAIRS = 30  # beyond it the score test keeps its level, and an exact one takes seconds
_NUISANCE_POINTS = 40
_CLOSE, _CLOSE_EXACTLY = 1e-11, 1e-6  # of bounds; an exact one takes long


@dataclass(frozen=True)
class Pairs:
    """Paired 0-1 outcomes: `gained` pairs that only the candidate got right, `lost` that only the baseline did."""

    gained: int
    lost: int
    num_pairs: int

    @property
    def difference(self) -> float:
        return (self.gained - self.lost) / self.num_pairs

    def mirrored(self) -> "Pairs":
        return Pairs(self.lost, self.gained, self.num_pairs)


def paired_proportions(pairs: Pairs, threshold: float, alpha: float, power: float) -> Estimate:
    """The difference of two proportions measured on the same samples, in [−1, 1].

    Source: Tango 1998, Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design, Stat. Med. 17; exact: Hsueh, Liu and Chen 2001, Unconditional exact tests for equivalence or noninferiority
    for paired binary endpoints, Biometrics 57.
    """
    p_value = exact_p_above if pairs.num_pairs <= EXACT_UP_TO_PAIRS else score_p_above
    close = _CLOSE_EXACTLY if p_value is exact_p_above else _CLOSE

    def lowest(pairs: Pairs) -> float:
        return root(lambda delta: p_value(pairs, delta) - alpha, -1.0, pairs.difference, close)

    planning = Planning(
        distance=pairs.difference - threshold,
        spread=math.sqrt(_variance(pairs, pairs.difference)),
        null_spread=math.sqrt(_variance(pairs, threshold)),
        num_samples=pairs.num_pairs,
    )
    return Estimate(
        value=pairs.difference,
        find_low=lambda: lowest(pairs),
        find_high=lambda: -lowest(pairs.mirrored()),
        p_above=p_value(pairs, threshold),
        p_below=p_value(pairs.mirrored(), -threshold),
        num_to_decide=planning.num_to_decide(alpha, power),
        detectable=planning.detectable(alpha, power),
    )


def proportion(num_right: int, num_samples: int, threshold: float, alpha: float, power: float) -> Estimate:
    """A share of samples. Source: Clopper and Pearson 1934, Biometrika 26 (exact, never below its level)."""
    num_wrong = num_samples - num_right
    value = num_right / num_samples
    planning = Planning(
        distance=value - threshold,
        spread=math.sqrt(value * (1 - value)),
        null_spread=math.sqrt(max(0.0, threshold * (1 - threshold))),
        num_samples=num_samples,
    )
    return Estimate(
        value=value,
        find_low=lambda: root(lambda p: binomial_tail(num_right, num_samples, p) - alpha, 0.0, value),
        find_high=lambda: 1 - root(lambda p: binomial_tail(num_wrong, num_samples, p) - alpha, 0.0, 1 - value),
        p_above=binomial_tail(num_right, num_samples, threshold),
        p_below=binomial_tail(num_wrong, num_samples, 1 - threshold),
        num_to_decide=planning.num_to_decide(alpha, power),
        detectable=planning.detectable(alpha, power),
    )


def required_samples(margin: float, discordance: float, alpha: float, power: float, effect: float = 0.0) -> int:
    """Pairs with which a candidate whose true difference is `effect` passes a no-regression check.

    Args:
        margin: what it may be worse by; 0.01 is one accuracy point.
        discordance: share of the samples on which exactly one of the two models is right; at least |effect|.
    Source: Nam 1997, Establishing equivalence of two treatments and sample size requirements in matched-pairs design,
        Biometrics 53.
    """
    million = 10**6
    expected = Pairs(
        gained=round(million * (discordance + effect) / 2),
        lost=round(million * (discordance - effect) / 2),
        num_pairs=million,
    )
    planning = Planning(
        distance=effect + margin,
        spread=math.sqrt(discordance - effect**2),
        null_spread=math.sqrt(_variance(expected, -margin)),
        num_samples=million,
    )
    needed = planning.num_to_decide(alpha, power)
    if effect <= -margin or needed is None:
        raise ValueError(
            f"a candidate that is {-effect} worse cannot pass a margin of {margin}, with any number of samples"
        )
    return needed


def holm(p_values: Sequence[float], level: Callable[[int, int], float]) -> set[int]:
    """Which of the p-values are small enough to be believed all at once.

    Args:
        level: of the p-value at an index, when it is one of so many that are left; α / left for a single look.
    Source: Holm 1979, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6; with levels of looks,
        Ye, Li, Liu and Yao 2013, A group sequential Holm procedure with multiple primary endpoints, Stat. Med. 32.
    """
    left, believed = set(range(len(p_values))), set[int]()
    while found := {index for index in left if p_values[index] < level(index, len(left))}:
        first = min(found, key=lambda index: p_values[index])
        left.remove(first)
        believed.add(first)
    return believed


def score_p_above(pairs: Pairs, delta: float) -> float:
    """p-value of "the difference is at most `delta`", by the score test."""
    return normal_cdf(-_score(pairs, delta))


@cache
def exact_p_above(pairs: Pairs, delta: float) -> float:
    """The same, exactly: the largest probability, over what is unknown, of a table at least as extreme.

    Tables are ordered by the score. What is unknown is the share of pairs that only the baseline gets right.
    """
    if abs(delta) >= 1:
        return float(pairs.difference <= delta)
    n = pairs.num_pairs
    observed = _score(pairs, delta)
    extreme = [
        (_num_arrangements(gained, lost, n), gained, lost)
        for gained in range(n + 1)
        for lost in range(n + 1 - gained)
        if _score(Pairs(gained, lost, n), delta) >= observed - 1e-9
    ]
    return min(1.0, _largest(partial(_probability, extreme, n, delta), max(0.0, -delta), (1 - delta) / 2))


def _score(pairs: Pairs, delta: float) -> float:
    """Tango's statistic: standard normal when the true difference is `delta`, large when it is above."""
    distance = pairs.difference - delta
    deviation = math.sqrt(_variance(pairs, delta) / pairs.num_pairs)
    if abs(distance) < NO_DISTANCE:
        return 0.0
    return distance / deviation if deviation > 0 else math.copysign(math.inf, distance)


def _variance(pairs: Pairs, delta: float) -> float:
    """Of one pair's difference, by maximum likelihood, were the true difference `delta`."""
    if abs(delta) >= 1:
        return 0.0
    n, gained, lost = pairs.num_pairs, pairs.gained, pairs.lost
    a, b, c = 2 * n, -gained - lost + (2 * n - gained + lost) * delta, -lost * delta * (1 - delta)
    discriminant = math.sqrt(max(0.0, b * b - 4 * a * c))
    only_baseline = (discriminant - b) / (2 * a) if b <= 0 else -2 * c / (discriminant + b)
    return max(0.0, 2 * only_baseline + delta * (1 - delta))


def _probability(tables: list[tuple[int, int, int]], n: int, delta: float, only_baseline: float) -> float:
    """Of any of `tables` (arrangements, gained, lost) among n pairs."""
    gain, loss = _powers(only_baseline + delta, n), _powers(only_baseline, n)
    tie = _powers(1 - delta - 2 * only_baseline, n)
    return math.fsum(ways * gain[gained] * loss[lost] * tie[n - gained - lost] for ways, gained, lost in tables)


def _powers(base: float, highest: int) -> list[float]:
    return [max(0.0, base) ** exponent for exponent in range(highest + 1)]


def _num_arrangements(gained: int, lost: int, n: int) -> int:
    return math.comb(n, gained) * math.comb(n - gained, lost)


def _largest(function: Callable[[float], float], low: float, high: float) -> float:
    """The maximum of a smooth function: the best point of a grid, then closer around it."""
    best = 0.0
    for _ in range(3):
        step = (high - low) / _NUISANCE_POINTS
        points = [low + step * index for index in range(_NUISANCE_POINTS + 1)]
        values = [function(point) for point in points]
        best = max(best, *values)
        peak = points[values.index(max(values))]
        low, high = max(low, peak - step), min(high, peak + step)
    return best
