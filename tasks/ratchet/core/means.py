"""Means of values that are not 0 and 1: Student's t, careful with skewed values and samples that share sources."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from ratchet.core.distributions import student_cdf, student_quantile
from ratchet.core.estimate import NO_DISTANCE, Estimate, Planning


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


# Further from the threshold than any test can tell; the cube of a larger score may be beyond floating point.
_CERTAIN = 1e9


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
        planning = Planning(self.value - threshold, spread, spread, self.num_samples)
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
        score = max(-_CERTAIN, min(_CERTAIN, distance / self.error))
        return student_cdf(-min(score, _unskewed(score, skew)), self.degrees_of_freedom)


def _unskewed(score: float, skew: float) -> float:
    return score + skew * score**2 / 3 + skew**2 * score**3 / 27 + skew / 6


def _unskewed_quantile(quantile: float, skew: float) -> float:
    """The score whose transformation is `quantile`: the transformation is a cube, so this is a cube root."""
    if abs(skew) < NO_DISTANCE:
        return quantile
    return 3 / skew * (math.cbrt(1 + skew * (quantile - skew / 6)) - 1)
