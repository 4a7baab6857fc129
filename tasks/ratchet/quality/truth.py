"""Joins what the release answered with what the truth turned out to be, and finds what the gate had measured of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from ratchet.clients.captured import Exchange
from ratchet.core.evaluation import EvalReport
from ratchet.core.quality import LabelledDay, Measured

METRIC = "exact_match"  # the one that says of an answer what a label can: it is this one, or it is not


def labelled_days(exchanges: Sequence[Exchange], labels: Mapping[str, str]) -> list[LabelledDay]:
    """Of each day's answers whose truth is known."""
    right: dict[date, list[bool]] = defaultdict(list)
    for one in exchanges:
        label = labels.get(one.request_id or "")
        if label is not None and one.day:
            right[one.day].append(one.answer == label.strip())
    return [LabelledDay(day=day, num_labelled=len(of), num_right=sum(of)) for day, of in sorted(right.items())]


def measured(report: EvalReport | None, task: str) -> Measured | None:
    """None where there is no report, or where it measured otherwise than by letter-for-letter answers."""
    metrics = (entry.metrics for entry in report.tasks if entry.name == task) if report else iter(())
    values = next((metric.measured for metric in next(metrics, ()) if metric.name == METRIC), ())
    return Measured(num_samples=len(values), num_right=round(sum(values))) if values else None
