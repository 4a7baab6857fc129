"""What samples say about a quantity: bounds, p-values, and how many samples would say more."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from ratchet.core.distributions import normal_quantile

NO_DISTANCE = 1e-12


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
class Planning:
    """`distance` from the threshold, and one sample's spread: as seen, and were the threshold true."""

    distance: float
    spread: float
    null_spread: float
    num_samples: int

    def num_to_decide(self, alpha: float, power: float) -> int | None:
        if abs(self.distance) < NO_DISTANCE:
            return None
        return max(1, math.ceil((self._reach(alpha, power) / self.distance) ** 2))

    def detectable(self, alpha: float, power: float) -> float:
        return self._reach(alpha, power) / math.sqrt(self.num_samples)

    def _reach(self, alpha: float, power: float) -> float:
        return normal_quantile(1 - alpha) * self.null_spread + normal_quantile(power) * self.spread
