"""The dashboards of Grafana's JSON as pages, for where there is no Grafana: asked of a Prometheus, drawn here."""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from ratchet.clients.prometheus import Prometheus
from ratchet.clients.settings import Settings
from ratchet.core.errors import TerminalError
from ratchet.sight.dashboards.ask import Answered, ask, knows, window
from ratchet.sight.dashboards.draw import draw
from ratchet.sight.dashboards.model import Dashboard, load
from ratchet.sight.dashboards.page import Page, render

# Where the Prometheus of docs/prometheus.yml listens.
URL = "http://127.0.0.1:9090"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--prometheus", default=URL, metavar="URL", help=f"whom to ask (default: {URL})")
    verb.add_argument("--hours", type=_hours, help="how far back (default: as each dashboard says)")
    verb.add_argument("--out", type=Path, metavar="FOLDER", help="default: dashboards/ of the state folder")


def write_all(settings: Settings, line: str, options: argparse.Namespace, console: Console) -> None:
    """One page a dashboard.

    Raises:
        DashboardInvalid, PrometheusAway: a dashboard cannot be drawn, nobody can be asked.
        TerminalError: nothing is known of the line; or a query was refused, which its panel says too.
    """
    prometheus, now = Prometheus(options.prometheus), time.time()
    found = load(settings.root / "helm" / "serving" / "dashboards")
    windows = {name: window(now, options.hours or dashboard.hours) for name, dashboard in found.items()}
    if not knows(prometheus, line, max(windows.values(), key=lambda seen: seen.end - seen.start)):
        raise TerminalError(
            f"Prometheus at {prometheus.place} has no metrics of line {line!r} in that time: does it read the exporter "
            "(`ratchet exporter`, docs/prometheus.yml), and is its target up on the page /targets?"
        )
    folder = options.out or settings.state / "dashboards"
    folder.mkdir(parents=True, exist_ok=True)
    told = {}
    for name, dashboard in found.items():
        told[name] = ask(prometheus, dashboard, line, windows[name])
        panels = tuple(draw(each, windows[name]) for each in told[name])
        page = Page(dashboard.title, line, prometheus.place, windows[name], panels, _others(found, name))
        (folder / f"{name}.html").write_bytes(render(page))
        console.print(f"{dashboard.title}: {(folder / f'{name}.html').resolve().as_uri()}", soft_wrap=True)
    _tell_what_is_missing(told, prometheus.place, console)


def _tell_what_is_missing(told: Mapping[str, tuple[Answered, ...]], place: str, console: Console) -> None:
    panels = [(name, answered) for name, answers in told.items() for answered in answers]
    empty = [
        f"{answered.panel.title} ({name})"
        for name, answered in panels
        if answered.is_empty and not answered.panel.fieldConfig.defaults.noValue  # that is no lack
    ]
    if empty:
        console.print(f"no data: {', '.join(empty)}", markup=False, soft_wrap=True)
    if refused := [problem for _, answered in panels for problem in answered.problems]:
        raise TerminalError(
            f"Prometheus at {place} refuses {len(refused)} of the queries, first {refused[0]}: mend it in "
            "helm/serving/dashboards"
        )


def _others(found: Mapping[str, Dashboard], name: str) -> dict[str, str]:
    return {f"{other}.html": dashboard.title for other, dashboard in found.items() if other != name}


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours < 24 * 366:
        raise argparse.ArgumentTypeError(f"expected hours, more than 0 and at most a year, got {text!r}")
    return hours
