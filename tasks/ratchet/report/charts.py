"""Where the marks of the page's three charts go. The template draws them; positions are shares of the axis, 0 to 1."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ratchet.core.checks import CheckResult
from ratchet.core.evaluation import Score
from ratchet.core.paired import proportion
from ratchet.report.words import ScorePair

_PADDING = 0.12  # of an axis, on both sides of its outermost mark
_Z_95 = 1.96
_TWO_SIDED_95 = 0.025  # on each side
_MAX_CURVE_POINTS = 400


@dataclass(frozen=True)
class Interval:
    """`low` and `high` are None when nobody measured them."""

    point: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class CheckChart:
    """A check's effect (or score, for a floor) with its bounds, against its limit. `zero` is None off the axis."""

    interval: Interval
    limit: float
    limit_text: str
    zero: float | None


@dataclass(frozen=True)
class ScoreRow:
    name: str
    num_samples: int
    candidate: Interval
    baseline: Interval | None
    change: str
    is_share: bool


@dataclass(frozen=True)
class Curve:
    """`points`: (x, y) with y = 0 at the top, as screens count. `highest` is the loss at the top; the bottom is 0."""

    points: tuple[tuple[float, float], ...]
    highest: float
    num_steps: int


def check_chart(check: CheckResult) -> CheckChart | None:
    """None for a check without bounds."""
    value = check.candidate if check.effect is None else check.effect
    if value is None or check.low is None or check.high is None or check.threshold is None:
        return None
    marks = [check.low, check.high, check.threshold, value]
    if check.effect is not None:
        marks.append(0.0)
    place = _axis(marks)
    return CheckChart(
        interval=Interval(place(value), place(check.low), place(check.high), show(check, value)),
        limit=place(check.threshold),
        limit_text=show(check, check.threshold),
        zero=place(0.0) if check.effect is not None and check.threshold != 0 else None,
    )


def show(check: CheckResult, value: float) -> str:
    """In points where the scores are shares, e.g. "+41.2"; a floor's score without a sign."""
    shares = all(0 <= score <= 1 for score in (check.candidate, check.baseline) if score is not None)
    scaled = 100 * value if shares else value
    digits = f"{scaled:.1f}" if shares else f"{scaled:.4g}"
    text = f"+{digits}" if check.effect is not None and scaled > 0 else digits
    return text.replace("-", "−")


def score_rows(pairs: Sequence[ScorePair]) -> tuple[ScoreRow, ...]:
    """Scores that are shares keep the axis 0 to 100 %; others get one of their own."""
    return tuple(_score_row(pair) for pair in pairs)


def curve(losses: Sequence[tuple[int, float]]) -> Curve | None:
    """(step, loss) pairs, thinned to what a screen can show; None with fewer than two."""
    if len(losses) < 2:
        return None
    stride = -(-len(losses) // _MAX_CURVE_POINTS)
    kept = [*losses[:-1:stride], losses[-1]]
    highest = max(loss for _, loss in kept)
    first, last = kept[0][0], kept[-1][0]
    span = (last - first) or 1
    points = tuple(
        (round((step - first) / span, 4), round(1 - loss / highest, 4) if highest > 0 else 1.0) for step, loss in kept
    )
    return Curve(points=points, highest=highest, num_steps=last)


def bounds_95(score: Score, is_share: bool) -> tuple[float, float]:
    """Of a share of right answers the exact ones, which do not vanish at 0 and 1; else the normal ones."""
    num_right = score.value * score.num_samples
    if is_share and abs(num_right - round(num_right)) < 1e-6:
        exact = proportion(round(num_right), score.num_samples, 0.5, _TWO_SIDED_95, 0.8)
        return exact.low, exact.high
    reach = _Z_95 * score.stderr
    return score.value - reach, score.value + reach


def _score_row(pair: ScorePair) -> ScoreRow:
    bounds = [bounds_95(score, pair.is_share) for score in (pair.candidate, pair.baseline) if score]
    place = _whole_axis if pair.is_share else _axis([edge for both in bounds for edge in both])

    def interval(score: Score) -> Interval:
        low, high = bounds_95(score, pair.is_share)
        text = f"{pair.show(score.value)} ({pair.show(max(0.0, low) if pair.is_share else low)} to {pair.show(high)})"
        return Interval(place(score.value), place(low), place(high), text)

    return ScoreRow(
        name=pair.name,
        num_samples=pair.candidate.num_samples,
        candidate=interval(pair.candidate),
        baseline=interval(pair.baseline) if pair.baseline else None,
        change=_change(pair).replace("-", "−"),
        is_share=pair.is_share,
    )


def _change(pair: ScorePair) -> str:
    if pair.baseline is None:
        return "new"
    difference = pair.candidate.value - pair.baseline.value
    return f"{100 * difference:+.1f} points" if pair.is_share else f"{difference:+.4g}"


def _whole_axis(share: float) -> float:
    return min(1.0, max(0.0, share))


def _axis(marks: Sequence[float]) -> Callable[[float], float]:
    """Places a value on an axis that has room for all `marks`."""
    low, high = min(marks), max(marks)
    span = (high - low) or 1.0
    start, width = low - _PADDING * span, (1 + 2 * _PADDING) * span
    return lambda value: (value - start) / width
