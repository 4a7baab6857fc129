"""Metrics as Prometheus reads them: one number for each name and set of labels."""

from collections.abc import Iterable

import httpx
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(families: Iterable[Metric]) -> Series:
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def scraped(url: str) -> Series:
    text = httpx.get(url, timeout=30.0, trust_env=False).raise_for_status().text
    return series(text_string_to_metric_families(text))


def value(found: Series, name: str, **labels: str) -> float | None:
    """The one sample of that name with at least these labels; None when there is none."""
    fitting = [v for (n, has), v in found.items() if n == name and set(labels.items()) <= has]
    assert len(fitting) < 2, f"{name} {labels}: {len(fitting)} samples"
    return fitting[0] if fitting else None
