"""Asks a Prometheus what a dashboard wants to know."""

from collections.abc import Mapping
from dataclasses import dataclass

from ratchet.clients.prometheus import Prometheus, QueryRefused, Series, Window
from ratchet.sight.dashboards.model import Dashboard, Panel, Target

# More points than a panel has room for would be drawn over each other.
_POINTS = 240
# As often as docs/prometheus.yml looks.
_FINEST_SECONDS = 15.0


@dataclass(frozen=True)
class Answer:
    """What one query found; `problem` is why it found nothing, in Prometheus' words."""

    target: Target
    series: tuple[Series, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Answered:
    panel: Panel
    answers: tuple[Answer, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(answer.problem for answer in self.answers if answer.problem)

    @property
    def is_empty(self) -> bool:
        """A limit alone tells nothing: it is there even when all else is away."""
        return not any(answer.series for answer in self.answers if answer.target.refId not in self.panel.limits)


def window(end: float, hours: float) -> Window:
    return Window(end - hours * 3600, end, max(_FINEST_SECONDS, hours * 3600 / _POINTS))


def knows(prometheus: Prometheus, line: str, seen: Window) -> bool:
    """Was anything told of the line? `up` is Prometheus' own, and there without an exporter. Raises PrometheusAway."""
    query = 'count(last_over_time({__name__=~"(ratchet|llm)_.+",line="$line"}[$seconds]))'
    return bool(prometheus.at(filled_in(query, {"line": line, "seconds": f"{seen.end - seen.start:.0f}s"}), seen.end))


def ask(prometheus: Prometheus, dashboard: Dashboard, line: str, seen: Window) -> tuple[Answered, ...]:
    """Raises PrometheusAway. A query that is refused is told by its panel, and keeps no other from being drawn."""
    return tuple(
        Answered(panel, tuple(_answer(prometheus, panel, target, line, seen) for target in panel.targets))
        for panel in dashboard.panels
    )


def _answer(prometheus: Prometheus, panel: Panel, target: Target, line: str, seen: Window) -> Answer:
    query = filled_in(target.expr, {"line": line})
    try:
        if panel.type == "timeseries":
            return Answer(target, prometheus.over(query, seen))
        return Answer(target, prometheus.at(query, seen.end))
    except QueryRefused as error:
        return Answer(target, problem=f"{error} (in {query})")


def filled_in(text: str, variables: Mapping[str, str]) -> str:
    """Grafana's `$name`; the values stand within a query's quotes."""
    for name, value in variables.items():
        text = text.replace(f"${name}", value.replace("\\", "\\\\").replace('"', '\\"'))
    return text
