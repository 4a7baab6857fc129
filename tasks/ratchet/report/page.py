"""Renders the page: one HTML file that needs nothing else, in an inbox, a browser or on paper."""

from importlib.resources import files

from ratchet.core.amounts import duration
from ratchet.core.latency import readable_ms
from ratchet.report.view import Page, mebibytes, short

_TEMPLATE = "page.html.jinja"


def render(page: Page) -> bytes:
    """Every value is escaped: rows are users' text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(short=short, mebibytes=mebibytes, duration=duration, ms=readable_ms)
    template = environment.from_string(files("ratchet.report").joinpath(_TEMPLATE).read_text("utf-8"))
    return template.render(page=page, inputs=page.inputs).encode()
