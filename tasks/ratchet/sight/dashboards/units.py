"""Numbers in the units that Grafana names, as people read them, and the marks of an axis."""

import math
from dataclasses import dataclass

_SECONDS = ((86_400.0, " d"), (3600.0, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms"))
_BYTES = ((1024.0**4, " TiB"), (1024.0**3, " GiB"), (1024.0**2, " MiB"), (1024.0, " KiB"), (1.0, " B"))
_PLAIN = {"none": "", "short": "", "percent": "%", "reqps": " req/s"}
_NUM_TICKS = 4
_NOTHING = 1e-12  # what arithmetic leaves of a difference of equal numbers


@dataclass(frozen=True)
class Scale:
    """Values are shown divided by `factor`, with `suffix` behind them."""

    factor: float
    suffix: str

    def say(self, value: float, decimals: int | None = None) -> str:
        """With three digits, unless it is said how many decimals."""
        number = value / self.factor
        text = _digits(number) if decimals is None else f"{number:,.{decimals}f}"
        return f"{text}{self.suffix}".replace("-", "−")


def scale(unit: str, highest: float) -> Scale:
    """What fits numbers up to `highest`. A unit that Grafana does not know is, as there, put behind the number."""
    if unit == "percentunit":
        return Scale(0.01, "%")
    if unit == "s":
        # 90 s rather than 1.5 min, 30 h rather than 1.25 d.
        fits = (step for step in _SECONDS if highest >= step[0] * (2 if step[0] > 1 else 1))
        return Scale(*(next(fits, _SECONDS[-1]) if highest else _SECONDS[-2]))
    if unit == "bytes":
        return Scale(*next((step for step in _BYTES if highest >= step[0]), _BYTES[-1]))
    return Scale(1.0, _PLAIN.get(unit, f" {unit}"))


def readable(unit: str, value: float, decimals: int | None = None) -> str:
    return scale(unit, abs(value)).say(value, decimals)


def ticks(low: float, high: float, factor: float = 1.0) -> tuple[float, ...]:
    """Round numbers, in units of `factor`, that reach from `low` or lower to `high` or higher; three at the least."""
    span = (high - low) / factor
    rough = (span if span > _NOTHING else 1.0) / _NUM_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough * (1 - 1e-9))
    first, last = math.floor(low / factor / step + 1e-9), math.ceil(high / factor / step - 1e-9)
    return tuple(index * step * factor for index in range(first, max(last, first + 2) + 1))


def _digits(number: float) -> str:
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return "0" if abs(number) < _NOTHING else f"{number:.3g}"
