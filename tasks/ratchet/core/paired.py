"""What samples say about a quantity: one-sided bounds, and how sure it is that it lies above or below a threshold.

Paired 0-1 samples   d = (gained − lost) / n    Tango's score test; exact and unconditional for few pairs
0-1 samples          a share                    Clopper and Pearson
other values         a mean                     Student's t, with Hall's transformation where they are skewed;
                                                over sources where samples share them
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from statistics import fmean, stdev

from ratchet.core.distributions import binomial_tail, normal_cdf, normal_quantile, root, student_cdf, student_quantile

EXACT_UP_TO_PAIRS = 30  # beyond it the score test keeps its level, and an exact one takes seconds
_NUISANCE_POINTS = 40
_NO_DISTANCE = 1e-12
_CLOSE, _CLOSE_EXACTLY = 1e-11, 1e-6  # of bounds; an exact one takes long


@dataclass(frozen=True)
class Estimate:
    """`low` and `high` each hold with confidence 1−α.

    `p_above` is the p-value of "at most the threshold": small when the quantity is surely above it.
    `p_below` is the mirror image.

    The bounds are found when they are first asked for: they cost far more than the p-values.

    `num_to_decide`: samples with which the effect seen, if real, is told from the threshold with the planned power;
    None when it sits on the threshold. `detectable`: how far from the threshold a true value must lie to be told from
    it with that power by so many samples.
    """

    value: float
    p_above: float
    p_below: float
    num_to_decide: int | None
    detectable: float
    find_low: Callable[[], float] = field(repr=False)
    find_high: Callable[[], float] = field(repr=False)

    @cached_property
    def low(self) -> float:
        return self.find_low()

    @cached_property
    def high(self) -> float:
        return self.find_high()


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

    planning = _Planning(
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
    planning = _Planning(
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


def mean(values: Sequence[float], threshold: float, alpha: float, power: float) -> Estimate:
    """A mean of two values or more; of paired differences, this is the paired t test. Source: Student 1908.

    A few large losses among many small gains make Student's test pass too easily. Hall's transformation takes the
    skewness out; where it gives other answers than Student's test, the more careful of the two counts. Source: Hall
    1992, On the removal of skewness by transformation, J. R. Stat. Soc. B 54.
    """
    value, spread, num_samples = fmean(values), stdev(values), len(values)
    skewness = fmean(((sample - value) / spread) ** 3 for sample in values) if spread > 0 else 0.0
    student = _Student(
        value, spread / math.sqrt(num_samples), num_samples - 1, num_samples, skewness / math.sqrt(num_samples)
    )
    return student.estimate(threshold, alpha, power)


def clustered_mean(
    values: Sequence[float], sources: Sequence[str], threshold: float, alpha: float, power: float
) -> Estimate:
    """A mean of values that share sources (two or more): what is independent is the source, not the sample.

    Source: Cochran 1977, Sampling Techniques, 3rd ed., section 6.3 (the ratio estimator over clusters), with Student's
    t for as many degrees of freedom as there are sources less one, and Hall's transformation of the sources' sums.
    """
    value = fmean(values)
    residual: dict[str, float] = {}
    for source, sample in zip(sources, values, strict=True):
        residual[source] = residual.get(source, 0.0) + sample - value
    num_sources = len(residual)
    spread = math.sqrt(math.fsum(r * r for r in residual.values()) / (num_sources - 1))
    skewness = fmean((r / spread) ** 3 for r in residual.values()) if spread > 0 else 0.0
    error = spread * math.sqrt(num_sources) / len(values)
    skew = skewness / math.sqrt(num_sources)
    return _Student(value, error, num_sources - 1, len(values), skew).estimate(threshold, alpha, power)


def more_careful(one: Estimate, other: Estimate) -> Estimate:
    """Of two judgements of the same value, whichever claims less."""
    return replace(
        one,
        find_low=lambda: min(one.low, other.low),
        find_high=lambda: max(one.high, other.high),
        p_above=max(one.p_above, other.p_above),
        p_below=max(one.p_below, other.p_below),
        detectable=max(one.detectable, other.detectable),
    )


@dataclass(frozen=True)
class _Student:
    """A mean with its standard error. `skew` is the samples' skewness over √n, 0 where it is not looked at."""

    value: float
    error: float
    degrees_of_freedom: int
    num_samples: int
    skew: float = 0.0

    def estimate(self, threshold: float, alpha: float, power: float) -> Estimate:
        spread = self.error * math.sqrt(self.num_samples)
        planning = _Planning(self.value - threshold, spread, spread, self.num_samples)
        return Estimate(
            value=self.value,
            find_low=lambda: self.value - self._reach(alpha, self.skew),
            find_high=lambda: self.value + self._reach(alpha, -self.skew),
            p_above=self._p_value(self.value - threshold, self.skew),
            p_below=self._p_value(threshold - self.value, -self.skew),
            num_to_decide=planning.num_to_decide(alpha, power),
            detectable=planning.detectable(alpha, power),
        )

    def _reach(self, alpha: float, skew: float) -> float:
        quantile = student_quantile(1 - alpha, self.degrees_of_freedom)
        return self.error * max(quantile, _unskewed_quantile(quantile, skew))

    def _p_value(self, distance: float, skew: float) -> float:
        """Of "the distance is at most 0"."""
        if self.error == 0:
            return float(distance <= 0)
        score = distance / self.error
        return student_cdf(-min(score, _unskewed(score, skew)), self.degrees_of_freedom)


def _unskewed(score: float, skew: float) -> float:
    return score + skew * score**2 / 3 + skew**2 * score**3 / 27 + skew / 6


def _unskewed_quantile(quantile: float, skew: float) -> float:
    """The score whose transformation is `quantile`: the transformation is a cube, so this is a cube root."""
    if abs(skew) < _NO_DISTANCE:
        return quantile
    return 3 / skew * (math.cbrt(1 + skew * (quantile - skew / 6)) - 1)


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
    planning = _Planning(
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
    if abs(distance) < _NO_DISTANCE:
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


@dataclass(frozen=True)
class _Planning:
    """`distance` from the threshold, and one sample's spread: as seen, and were the threshold true."""

    distance: float
    spread: float
    null_spread: float
    num_samples: int

    def num_to_decide(self, alpha: float, power: float) -> int | None:
        if abs(self.distance) < _NO_DISTANCE:
            return None
        return max(1, math.ceil((self._reach(alpha, power) / self.distance) ** 2))

    def detectable(self, alpha: float, power: float) -> float:
        return self._reach(alpha, power) / math.sqrt(self.num_samples)

    def _reach(self, alpha: float, power: float) -> float:
        return normal_quantile(1 - alpha) * self.null_spread + normal_quantile(power) * self.spread
