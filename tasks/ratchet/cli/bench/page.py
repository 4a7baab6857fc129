"""bench.html: the numbers as charts against the load, and as a table. One file that needs nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from ratchet.cli.bench.report import BenchReport, LevelResult
from ratchet.core.latency import readable_ms

_TEMPLATE = "page.html.jinja"
_HEADROOM = 1.12  # above the highest mark


@dataclass(frozen=True)
class Line:
    """`points`: (x, y) as shares of the axes, with y = 0 at the top, as screens count; `texts` stand beside them."""

    name: str
    points: tuple[tuple[float, float], ...]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    """One quantity against the load. Levels lie side by side at equal distances, for they mostly double."""

    title: str
    ticks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Panel:
    """The charts of one kind of load; `axis` is what the ticks below them count."""

    axis: str
    charts: tuple[Chart, ...]


def panels(report: BenchReport) -> tuple[Panel, ...]:
    kinds = (("requests at a time", report.closed), ("requests arriving per second", report.open))
    return tuple(Panel(axis, _charts(results)) for axis, results in kinds if results)


def render(report: BenchReport) -> bytes:
    """Every value is escaped: an endpoint's error is anybody's text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(ms=readable_ms)
    template = environment.from_string(files("ratchet.cli.bench").joinpath(_TEMPLATE).read_text("utf-8"))
    return template.render(report=report, panels=panels(report)).encode()


def _charts(results: Sequence[LevelResult]) -> tuple[Chart, ...]:
    return (
        _chart("Output tokens per second", results, {"": lambda r: r.found.tokens_per_second}),
        _chart(
            "Time to first token, ms",
            results,
            {"p95": lambda r: r.found.ttft_ms.p95, "p50": lambda r: r.found.ttft_ms.p50},
        ),
        _chart(
            "Between two tokens, ms",
            results,
            {"p95": lambda r: r.found.inter_token_ms.p95, "p50": lambda r: r.found.inter_token_ms.p50},
        ),
    )


def _chart(title: str, results: Sequence[LevelResult], of: dict[str, Callable[[LevelResult], float | None]]) -> Chart:
    """What was not measured has no mark."""
    found = {name: [value(result) for result in results] for name, value in of.items()}
    highest = max((value for values in found.values() for value in values if value is not None), default=0.0)
    scale = highest * _HEADROOM or 1.0
    places = [index / (len(results) - 1) if len(results) > 1 else 0.5 for index in range(len(results))]
    lines = []
    for name, values in found.items():
        marks = [(place, value) for place, value in zip(places, values, strict=True) if value is not None]
        points = tuple((round(place, 4), round(1 - value / scale, 4)) for place, value in marks)
        lines.append(Line(name, points, tuple(readable_ms(value) for _, value in marks)))
    ticks = tuple((place, f"{result.level.value:g}") for place, result in zip(places, results, strict=True))
    return Chart(title, ticks, tuple(line for line in lines if line.points))
