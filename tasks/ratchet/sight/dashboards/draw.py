"""What answers look like as tiles, bars and lines. The template draws them; positions are shares of an axis, 0 to 1."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ratchet.clients.prometheus import Series, Window
from ratchet.sight.dashboards.ask import Answer, Answered
from ratchet.sight.dashboards.model import Colour, FieldDefaults, Panel
from ratchet.sight.dashboards.units import readable, scale, ticks

NUM_COLOURS = 8  # of lines; the template has as many
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_HOUR = 3600
_TIME_STEPS = (
    *(60 * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_HOUR * 24 * n for n in (1, 2, 3, 7, 14, 28, 91)),
)
_GAP = 1.5  # steps; from there on a look is missing
_MAX_TIME_TICKS = 5  # their texts have to stand side by side on a telephone


@dataclass(frozen=True)
class Tile:
    """`name` is empty where the text itself is the name."""

    name: str
    text: str
    colour: Colour = "text"


@dataclass(frozen=True)
class Bar:
    name: str
    text: str
    share: float


@dataclass(frozen=True)
class Line:
    """`runs`: unbroken pieces of (x, y), y = 0 at the top, as screens count. `text` is its value now."""

    name: str
    text: str
    runs: tuple[tuple[tuple[float, float], ...], ...]
    colour: int
    is_limit: bool
    is_repeated: bool  # its colour was already given to another


@dataclass(frozen=True)
class Tick:
    place: float
    text: str


@dataclass(frozen=True)
class Chart:
    """`zeros`: the names of those that were 0 all the time, and are no lines."""

    lines: tuple[Line, ...]
    zeros: tuple[str, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


@dataclass(frozen=True)
class Drawn:
    """One of `tiles`, `bars` and `chart`; none of them, and `nothing` says so, where no query found anything."""

    panel: Panel
    problems: tuple[str, ...]
    nothing: str = ""
    tiles: tuple[Tile, ...] = ()
    bars: tuple[Bar, ...] = ()
    chart: Chart | None = None


def draw(answered: Answered, seen: Window) -> Drawn:
    panel, problems = answered.panel, answered.problems
    if answered.is_empty:
        return Drawn(panel, problems, nothing="" if problems else panel.fieldConfig.defaults.noValue or "no data")
    if panel.type == "timeseries":
        return Drawn(panel, problems, chart=_chart(answered, seen))
    newest = [(_name(series, answer), series.points[-1][1]) for answer in answered.answers for series in answer.series]
    if panel.type == "bargauge":
        return Drawn(panel, problems, bars=_bars(newest, panel.fieldConfig.defaults.unit))
    return Drawn(panel, problems, tiles=tuple(_tiles(newest, panel)))


def _name(series: Series, answer: Answer) -> str:
    """The legend's text, as Grafana fills it in; without one, all labels."""
    if answer.target.legendFormat:
        return _LABEL.sub(lambda found: series.labels.get(found.group(1), ""), answer.target.legendFormat)
    return ", ".join(f"{label}={value}" for label, value in sorted(series.labels.items()))


def _tiles(newest: Sequence[tuple[str, float]], panel: Panel) -> Iterator[Tile]:
    mode, defaults = panel.options.textMode, panel.fieldConfig.defaults
    for name, value in newest:
        text, colour = said(value, defaults)
        colour = panel.colour_of(name) or colour
        if mode == "name":
            yield Tile("", name, colour)
        else:
            yield Tile("" if mode == "auto" and len(newest) == 1 else name, text, colour)


def said(value: float, defaults: FieldDefaults) -> tuple[str, Colour]:
    """A mapped value by its word, any other in its unit and in the colour of the threshold that it has reached."""
    for mapping in defaults.mappings:
        if found := mapping.options.get(f"{value:g}"):
            return found.text, found.color
    reached = [step.color for step in defaults.thresholds.steps if step.value is None or value >= step.value]
    return readable(defaults.unit, value, defaults.decimals), reached[-1] if reached else "text"


def _bars(newest: Sequence[tuple[str, float]], unit: str) -> tuple[Bar, ...]:
    highest = max(value for _, value in newest)
    return tuple(Bar(name, readable(unit, v), max(v, 0.0) / highest if highest > 0 else 0.0) for name, v in newest)


def _chart(answered: Answered, seen: Window) -> Chart:
    unit = answered.panel.fieldConfig.defaults.unit
    values = [value for answer in answered.answers for series in answer.series for _, value in series.points]
    low, high = min(0.0, *values), max(0.0, *values)
    axis = scale(unit, max(-low, high))
    marks = ticks(low, high, axis.factor)

    def place(at: float, value: float) -> tuple[float, float]:
        across = (at - seen.start) / (seen.end - seen.start)
        return round(across, 4), round((marks[-1] - value) / (marks[-1] - marks[0]), 4)

    lines: list[Line] = []
    zeros: list[str] = []
    for series, answer, colour in _coloured(answered):
        name = _name(series, answer)
        if all(value == 0 for _, value in series.points):
            zeros.append(name)
            continue
        pieces = tuple(tuple(place(*point) for point in run) for run in _unbroken(series, seen.step_seconds))
        is_limit, is_repeated = answer.target.refId in answered.panel.limits, colour >= NUM_COLOURS
        lines.append(Line(name, _newest(series, seen, unit), pieces, colour % NUM_COLOURS, is_limit, is_repeated))
    up = tuple(Tick(place(seen.start, mark)[1], axis.say(mark)) for mark in marks)
    return Chart(tuple(lines), tuple(zeros), time_ticks(seen), up)


def _newest(series: Series, seen: Window, unit: str) -> str:
    """The value at the window's end, or when the line ended before it."""
    at, value = series.points[-1]
    is_there = seen.end - at < _GAP * seen.step_seconds
    return readable(unit, value) if is_there else f"until {datetime.fromtimestamp(at, UTC):%d %b %H:%M}"


def _coloured(answered: Answered) -> Iterator[tuple[Series, Answer, int]]:
    """A limit has the colour of what it limits, which has the same labels; all others have one of their own."""
    num_before = 0
    for answer in answered.answers:
        is_limit = answer.target.refId in answered.panel.limits
        in_order = sorted(answer.series, key=lambda each: sorted(each.labels.items()))
        for index, series in enumerate(in_order, 0 if is_limit else num_before):
            yield series, answer, index
        num_before += 0 if is_limit else len(in_order)


def _unbroken(series: Series, step_seconds: float) -> Iterator[tuple[tuple[float, float], ...]]:
    """Where a look found nothing, a line ends, as in Grafana."""
    run: list[tuple[float, float]] = []
    for point in series.points:
        if run and point[0] - run[-1][0] > _GAP * step_seconds:
            yield tuple(run)
            run = []
        run.append(point)
    yield tuple(run)


def time_ticks(seen: Window) -> tuple[Tick, ...]:
    """Round hours or days of UTC; a day's begin shows the date."""
    span = seen.end - seen.start
    step = next((each for each in _TIME_STEPS if span / each <= _MAX_TIME_TICKS), _TIME_STEPS[-1])
    first = -(-seen.start // step) * step
    moments = [first + index * step for index in range(int((seen.end - first) // step) + 1)]
    return tuple(Tick(round((at - seen.start) / span, 4), _moment(at)) for at in moments)


def _moment(at: float) -> str:
    told = datetime.fromtimestamp(at, UTC)
    return f"{told:%d %b}" if told.hour == told.minute == 0 else f"{told:%H:%M}"
