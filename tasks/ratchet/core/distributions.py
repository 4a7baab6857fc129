"""The few distributions that the checks need, so that judging needs nothing but the standard library."""

import math
from collections.abc import Callable
from statistics import NormalDist

NORMAL = NormalDist()
_TINY = 1e-300
_CLOSE = 1e-11


def normal_cdf(z: float) -> float:
    return NORMAL.cdf(z)


def normal_quantile(probability: float) -> float:
    return NORMAL.inv_cdf(probability)


def student_cdf(t: float, degrees_of_freedom: float) -> float:
    """P(T ≤ t). Source: Abramowitz & Stegun 26.7.1, through the incomplete beta function."""
    if math.isinf(t):
        return 1.0 if t > 0 else 0.0
    tail = 0.5 * incomplete_beta(degrees_of_freedom / (degrees_of_freedom + t * t), degrees_of_freedom / 2, 0.5)
    return 1 - tail if t > 0 else tail


def student_quantile(probability: float, degrees_of_freedom: float) -> float:
    """The t with P(T ≤ t) = `probability`, for probabilities in (1e-9, 1 − 1e-9)."""
    reach = 1.0
    while student_cdf(reach, degrees_of_freedom) < max(probability, 1 - probability):
        reach *= 2
    return root(lambda t: student_cdf(t, degrees_of_freedom) - probability, -reach, reach)


def binomial_tail(successes: int, num_trials: int, probability: float) -> float:
    """P(X ≥ successes). Source: NIST DLMF 8.17.5."""
    if successes <= 0:
        return 1.0
    if successes > num_trials:
        return 0.0
    return incomplete_beta(probability, successes, num_trials - successes + 1)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function I_x(a, b), to about 12 digits.

    Source: NIST DLMF 8.17.22, the continued fraction, summed by Lentz's method as modified by Thompson and Barnett.
    """
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast only below here
        return 1 - incomplete_beta(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    ratio, denominator, numerator = 1.0, 0.0, 1.0
    for index in range(10_000):
        half = index // 2
        if index == 0:
            term = 1.0
        elif index % 2:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        denominator = 1 / _away_from_zero(1 + term * denominator)
        numerator = _away_from_zero(1 + term / numerator)
        ratio *= numerator * denominator
        if index and abs(1 - numerator * denominator) < 1e-15:
            break
    return math.exp(log_front) * (ratio - 1) / a


def root(function: Callable[[float], float], low: float, high: float, close: float = _CLOSE) -> float:
    """Where a monotone function changes its sign between `low` and `high`; the nearer end if it does not."""
    at_low, at_high = function(low), function(high)
    if (at_low > 0) == (at_high > 0):
        return low if abs(at_low) <= abs(at_high) else high
    while high - low > close * max(1.0, abs(low)):
        middle = (low + high) / 2
        if (function(middle) > 0) == (at_low > 0):
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
