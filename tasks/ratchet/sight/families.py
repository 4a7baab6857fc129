"""Metric families about one model line. Names follow Prometheus: base units, `_total` for counts that only grow."""

from collections.abc import Mapping
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

Labels = tuple[str, ...]
Samples = Mapping[Labels, float | None]


def gauge(line: str, name: str, text: str, value: float | None) -> Metric:
    """One number; None is not told."""
    return gauges(line, name, text, (), {(): value})


def gauges(line: str, name: str, text: str, labels: Labels, samples: Samples) -> Metric:
    return _filled(line, GaugeMetricFamily(name, text, labels=("line", *labels)), samples)


def counters(line: str, name: str, text: str, labels: Labels, samples: Samples) -> Metric:
    """`name` without `_total`, which the format adds."""
    return _filled(line, CounterMetricFamily(name, text, labels=("line", *labels)), samples)


def one_of(states: tuple[str, ...], state: str | None) -> Samples:
    """The samples of a state that is one of few: 1 for the one that it is, 0 for the others."""
    return {(each,): float(each == state) for each in states}


def seconds(at: datetime | None) -> float | None:
    """Unix time. Ages are left to queries, since `time() - x` grows between two looks."""
    return None if at is None else at.timestamp()


def _filled(line: str, family: GaugeMetricFamily | CounterMetricFamily, samples: Samples) -> Metric:
    for labels, value in samples.items():
        if value is not None:
            family.add_metric((line, *labels), value)
    return family
