"""Renders a dashboard: one HTML file that needs nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from ratchet.clients.prometheus import Window
from ratchet.sight.dashboards.draw import Drawn
from ratchet.sight.dashboards.units import readable

_TEMPLATE = "page.html.jinja"


@dataclass(frozen=True)
class Page:
    """`others`: the dashboards beside it, title by file name. `place`: whom it was asked of."""

    title: str
    line: str
    place: str
    seen: Window
    panels: tuple[Drawn, ...]
    others: Mapping[str, str]

    @property
    def until(self) -> datetime:
        return datetime.fromtimestamp(self.seen.end, UTC)

    @property
    def span(self) -> str:
        return readable("s", self.seen.end - self.seen.start)


def render(page: Page) -> bytes:
    """Every value is escaped: labels are anybody's text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("ratchet.sight.dashboards").joinpath(_TEMPLATE).read_text("utf-8"))
    return template.render(page=page).encode()
