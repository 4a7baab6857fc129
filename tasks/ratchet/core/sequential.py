"""Looking at results more than once without erring more often: looks, and how sure each of them must be.

Samples are measured in a fixed random order, in `num_looks` equal parts. A test that is repeated after every part at
level α errs far more often than α. So each look has a level of its own, chosen so that all looks together err with
probability α: after a share t of the samples, α·t of it is spent.

Source: Lan and DeMets 1983, Discrete sequential boundaries for clinical trials, Biometrika 70; the spending function is
the linear one of Kim and DeMets 1987, Biometrika 74; the recursion is Armitage, McPherson and Rowe 1969, J. R. Stat.
Soc. A 132. All looks' bounds hold at once (Jennison and Turnbull 1989, Repeated confidence intervals, J. R. Stat.
Soc. B 51), which is why a bound of an early look may be called by the level of the whole.
"""

import math
from functools import cache

from ratchet.core.distributions import normal_cdf, normal_quantile, root

# Nothing is decided on less: below, the score test's level is a matter of single samples.
MIN_SAMPLES = 30
_GRID = 160  # even, for Simpson's rule
_REACH = 6.0  # standard deviations


def look_counts(num_samples: int, num_looks: int) -> tuple[int, ...]:
    """How many samples are measured at each look, e.g. 53, 106, …, 527 for 527 samples in 10 looks."""
    least = min(MIN_SAMPLES, num_samples)
    return tuple(sorted({max(least, -(-num_samples * look // num_looks)) for look in range(1, num_looks + 1)}))


@cache
def look_level(alpha: float, counts: tuple[int, ...], num_samples: int) -> float:
    """The one-sided level at which the last look of `counts` is judged, when `num_samples` may be measured in all.

    With a single look at everything it is `alpha` itself.
    """
    return 1 - normal_cdf(_boundaries(alpha, tuple(count / num_samples for count in counts))[-1])


@cache
def inflation(alpha: float, power: float, num_looks: int) -> float:
    """How many times the samples of a single look are needed for the same power over `num_looks` looks."""
    shares = tuple(look / num_looks for look in range(1, num_looks + 1))
    boundaries = _boundaries(alpha, shares)
    single = normal_quantile(1 - alpha) + normal_quantile(power)
    drift = root(lambda drift: _crossing(shares, boundaries, drift) - power, single, 2 * single)
    return (drift / single) ** 2


def power_in_looks(alpha: float, power: float, num_looks: int, times: float) -> float:
    """The power over `num_looks` looks at `times` the samples with which a single look has `power`."""
    shares = tuple(look / num_looks for look in range(1, num_looks + 1))
    drift = math.sqrt(times) * (normal_quantile(1 - alpha) + normal_quantile(power))
    return _crossing(shares, _boundaries(alpha, shares), drift)


@cache
def _boundaries(alpha: float, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Standard normal scores beyond which each look decides, so that α·share is spent up to it."""
    if len(shares) == 1:
        return (normal_quantile(1 - alpha * shares[0]),)
    before = _boundaries(alpha, shares[:-1])
    at = _still_open(shares[:-1], before, 0.0)
    to_spend = alpha * (shares[-1] - shares[-2])
    step, scale = math.sqrt(shares[-1] - shares[-2]), math.sqrt(shares[-1])
    return (*before, root(lambda score: to_spend - _beyond(at, score * scale, step, 0.0), 0.0, 9.0))


def _crossing(shares: tuple[float, ...], boundaries: tuple[float, ...], drift: float) -> float:
    """The probability that some look decides, for a score whose mean after everything is `drift`."""
    total, before = 0.0, 0.0
    for look, share in enumerate(shares):
        at = _still_open(shares[:look], boundaries[:look], drift)
        step = share - before
        total += _beyond(at, boundaries[look] * math.sqrt(share), math.sqrt(step), drift * step)
        before = share
    return total


# The score times √share is a Brownian motion. A density of it: (place, probability mass there) on a grid.
Density = tuple[tuple[float, float], ...]


@cache
def _still_open(shares: tuple[float, ...], boundaries: tuple[float, ...], drift: float) -> Density:
    """Where the motion is after the last look, if no look has decided."""
    if not shares:
        return ((0.0, 1.0),)
    at = _still_open(shares[:-1], boundaries[:-1], drift)
    variance = shares[-1] - (shares[-2] if len(shares) > 1 else 0.0)
    mean = drift * variance
    low = drift * shares[-1] - _REACH * math.sqrt(shares[-1])
    width = (boundaries[-1] * math.sqrt(shares[-1]) - low) / _GRID
    if width <= 0:
        return ()
    norm = width / 3 / math.sqrt(2 * math.pi * variance)
    found = []
    for index in range(_GRID + 1):
        place = low + index * width
        weight = norm * (1 if index in (0, _GRID) else 4 if index % 2 else 2)
        density = math.fsum(mass * math.exp(-((place - start - mean) ** 2) / (2 * variance)) for start, mass in at)
        found.append((place, weight * density))
    return tuple(found)


def _beyond(at: Density, limit: float, deviation: float, mean: float) -> float:
    return math.fsum(mass * normal_cdf((start + mean - limit) / deviation) for start, mass in at)
