"""The answers that changed: what the release manager would ask to see first."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ratchet.core.evaluation import EvalReport, TaskReport, sample_id

_MAX_WORSE = 7  # a regression says more than a gain
_MAX_SHOWN = 10


@dataclass(frozen=True)
class ChangedSample:
    prompt: str
    expected: str
    baseline: str
    candidate: str
    got_better: bool


@dataclass(frozen=True)
class ChangedSamples:
    """`shown` are the first of each kind, in the order of the test split; the counts are of all."""

    task: str
    metric: str
    num_samples: int
    num_better: int
    num_worse: int
    shown: tuple[ChangedSample, ...]


def changed_samples(candidate: EvalReport, baseline: EvalReport, rows: list[dict[str, Any]]) -> ChangedSamples | None:
    """From the first task whose samples are rows of the test split; None when no task asked it."""
    row_of = {sample_id(row): row for row in rows}
    baselines = {task.name: task for task in baseline.tasks}
    for task in candidate.tasks:
        before = baselines.get(task.name)
        if before and task.answers and before.answers and any(sample in row_of for sample in task.sample_ids):
            return _changes(task, before, row_of)
    return None


def parse_rows(lines: bytes) -> list[dict[str, Any]]:
    """The test split: JSON lines of {"id", "prompt", "answer"}."""
    return [json.loads(line) for line in lines.splitlines()]


def _changes(task: TaskReport, before: TaskReport, row_of: dict[str, dict[str, Any]]) -> ChangedSamples:
    changes = list(_compared(task, before, row_of))
    better = [change for change in changes if change.got_better]
    worse = [change for change in changes if not change.got_better]
    num_worse = max(_MAX_WORSE, _MAX_SHOWN - len(better))
    shown_worse = worse[:num_worse]
    return ChangedSamples(
        task=task.name,
        metric=task.metrics[0].name,
        num_samples=len(task.sample_ids),
        num_better=len(better),
        num_worse=len(worse),
        shown=(*shown_worse, *better[: _MAX_SHOWN - len(shown_worse)]),
    )


def _compared(task: TaskReport, before: TaskReport, row_of: dict[str, dict[str, Any]]) -> Iterator[ChangedSample]:
    """By the task's first metric, sample by sample; what did not move is left out."""
    metric = task.metrics[0]
    old_values = dict(zip(before.sample_ids, before.metrics[0].values, strict=True))
    old_answers = before.answer_of()
    for sample, answer, value in zip(task.sample_ids, task.answers, metric.values, strict=True):
        old = old_values.get(sample)
        row = row_of.get(sample)
        if row is None or value is None or old is None or value == old:
            continue
        yield ChangedSample(
            prompt=row["prompt"],
            expected=row["answer"],
            baseline=old_answers[sample].strip(),
            candidate=answer.strip(),
            got_better=(value > old) == metric.higher_is_better,
        )
