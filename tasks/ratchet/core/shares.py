"""What counts say of a share: its interval, what chance makes of it, and whether it fell, however often one looks."""

import math

from ratchet.core.distributions import normal_quantile

CONFIDENCE = 0.95  # of the intervals that are told
# One alarm in a hundred is by chance: of a share at each look, of a fall over all looks together.
ALARM_LEVEL = 0.01
# By how much a share may have fallen, relative to itself: which of them is not known beforehand.
_FALLS = (0.02, 0.05, 0.1, 0.2, 0.4)
_MOST = 300.0  # as a logarithm: what is beyond it is beyond any doubt, and near the end of floating point


def wilson(num_hits: int, num_all: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Two-sided interval of a share. Source: Wilson 1927, J. Am. Stat. Assoc. 22."""
    z = normal_quantile((1 + confidence) / 2)
    share, weight = num_hits / num_all, z * z / num_all
    middle = (share + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * math.sqrt(share * (1 - share) / num_all + weight / (4 * num_all))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def above_by_chance(share: float, num_all: int) -> float:
    """What counts of so many exceed in one of a hundred looks while the truth is `share`.

    The one-sided bound of the score test, of which Wilson's interval is the inversion.
    """
    return share + normal_quantile(1 - ALARM_LEVEL) * math.sqrt(share * (1 - share) / num_all)


def against(num_right: int, num_labelled: int, expected: float) -> float:
    """How strongly labels speak against "at least `expected` of the answers are right", at whatever moment one looks.

    It is the wealth of whoever bets on each label that agreement has fallen, from 1 on, in equal parts on falls by
    several shares. If it has not, the wealth ever exceeds 1/α with probability α at most, so looking every day costs
    nothing (Ville 1939). Source: Waudby-Smith and Ramdas 2024, Estimating means of bounded random variables by betting,
    J. R. Stat. Soc. B 86.

    Args:
        expected: below 1.
    """
    num_wrong = num_labelled - num_right
    logs = [num_wrong * math.log1p(fall * expected / (1 - expected)) + num_right * math.log1p(-fall) for fall in _FALLS]
    most = max(logs)
    if most > _MOST:
        return math.inf
    return math.fsum(math.exp(log) for log in logs) / len(logs)
