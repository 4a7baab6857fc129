"""lm-eval's sample records become our report: per metric one number a sample, and a summary of it."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from ratchet.core.contract import digest_json
from ratchet.core.errors import TerminalError
from ratchet.core.evaluation import MetricSamples, Score, TaskReport, sample_id
from ratchet.core.log import log
from ratchet.evaluate.rows import Row
from ratchet.evaluate.task_file import LENGTH, TaskFile

LENGTHS_WORDS = (8, 16, 32, 128)

Records = Sequence[Mapping[str, Any]]


class MissingMetric(TerminalError, LookupError):
    """A task's metric came out without a number."""

    code = "GATE_MISSING_EVIDENCE"


def task_report(
    task: TaskFile,
    rows: Sequence[Row],
    data_sha256: str,
    records: Records,
    num_overlapping: int = 0,
    num_near_duplicates: int = 0,
) -> TaskReport:
    """Of the rows asked so far. Raises MissingMetric when a metric of the task file has no number for any of them."""
    if len(records) != len(rows):
        raise MissingMetric(f"task {task.name}: {len(rows)} rows were asked, lm-eval reported {len(records)}")
    return TaskReport(
        name=task.name,
        version=task.version,
        config_sha256=digest_json(dict(task.config)),
        data_sha256=data_sha256,
        sample_ids=tuple(sample_id(row) for row in rows),
        metrics=tuple(_metric(task, name, better, records) for name, better in task.metrics.items()),
        num_overlapping=num_overlapping,
        num_near_duplicates=num_near_duplicates,
        answers=tuple(record["resps"][0][0] for record in records) if _generates(task) else (),
        slices={name: tuple(_slice(task, name, row) for row in rows) for name in task.slices},
        sources=tuple(str(row[task.source]) for row in rows) if task.source else (),
    )


def noise(task: TaskFile, once: Records, again: Records) -> dict[str, float]:
    """Per metric the mean difference of a sample's value between two measurements of the same model."""
    found = {}
    for name in task.metrics:
        first, second = (_values(task, name, records) for records in (once, again))
        pairs = zip(first, second, strict=True)
        differences = [abs(a - b) for a, b in pairs if a is not None and b is not None]
        if differences:
            found[name] = fmean(differences)
    return found


def scores(report: TaskReport) -> tuple[Score, ...]:
    """Mean and its standard error, of the samples that have a value."""
    return tuple(
        Score(
            task=report.name,
            metric=metric.name,
            value=metric.mean,
            stderr=standard_error(metric.measured),
            num_samples=len(metric.measured),
        )
        for metric in report.metrics
    )


def standard_error(values: Sequence[float]) -> float:
    """Of the mean; 0.0 for a single value."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def _metric(task: TaskFile, name: str, higher_is_better: bool, records: Records) -> MetricSamples:
    values = _values(task, name, records)
    num_missing = values.count(None)
    if num_missing == len(values):
        raise MissingMetric(
            f"task {task.name}: metric {name!r} has no number for any of {len(values)} samples; "
            f"lm-eval reported {records[0].get('metrics', [])} with {name} = {records[0].get(name)!r}"
        )
    if num_missing:
        log.warning("samples without a value", extra={"task": task.name, "metric": name, "num_samples": num_missing})
    return MetricSamples(name=name, higher_is_better=higher_is_better, values=values)


def _values(task: TaskFile, name: str, records: Records) -> tuple[float | None, ...]:
    """lm-eval's, or of the text that its filter left of the answer."""
    ours = next((metric for metric in task.text_metrics if metric.name == name), None)
    if ours is None:
        return tuple(_number(task, name, record.get(name)) for record in records)
    return tuple(ours.value(record["filtered_resps"][0], str(record["target"]), record["doc"]) for record in records)


def _slice(task: TaskFile, name: str, row: Row) -> str:
    if name != LENGTH:
        return str(row[name])
    num_words = len(str(row[task.config["doc_to_text"]]).split())
    return next((f"up to {most} words" for most in LENGTHS_WORDS if num_words <= most), "longer")


def _number(task: TaskFile, name: str, value: Any) -> float | None:
    """One sample's value. What lm-eval turns into a perplexity only when it averages is nats here: less is better.

    A rolling log-likelihood comes with the text's length, that of one answer alone.
    """
    kind = task.config["output_type"]
    if kind == "loglikelihood_rolling" and isinstance(value, tuple) and len(value) == 2:
        loglikelihood, length = map(_finite, value)
        return None if loglikelihood is None or not length else -loglikelihood / length
    number = _finite(value)
    return -number if number is not None and kind == "loglikelihood" and name == "perplexity" else number


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _generates(task: TaskFile) -> bool:
    return bool(task.config["output_type"] == "generate_until")
