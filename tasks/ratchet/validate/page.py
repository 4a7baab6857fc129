"""The receipt for people: one HTML file that needs nothing else."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any


def render(receipt: Mapping[str, Any]) -> bytes:
    """Every value is escaped: file names, labels and words are users' text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("ratchet.validate").joinpath("page.html.jinja").read_text("utf-8"))
    broken = sorted((r for r in receipt["reasons"] if r["num_rows"]), key=lambda reason: -reason["num_rows"])
    return template.render(receipt=receipt, broken=broken).encode()
