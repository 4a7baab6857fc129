"""What got better and what got worse, slice by slice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from ratchet.core.evaluation import EvalReport, TaskReport

_MAX_SHOWN = 5  # of each kind


@dataclass(frozen=True)
class SliceRow:
    """Mean scores of one slice's samples. `gain` is positive where the candidate is better, whatever the metric."""

    task: str
    by: str
    name: str
    num_samples: int
    baseline: float
    candidate: float
    gain: float

    @property
    def is_share(self) -> bool:
        return 0 <= self.baseline <= 1 and 0 <= self.candidate <= 1

    def show(self, score: float) -> str:
        return f"{100 * score:.1f}%" if self.is_share else f"{score:.4g}"

    @property
    def change(self) -> str:
        change = self.candidate - self.baseline
        return f"{100 * change:+.1f} points" if self.is_share else f"{change:+.4g}"


@dataclass(frozen=True)
class SliceChanges:
    """The largest losses and the largest gains, largest first; slices that did not change are only counted."""

    worse: tuple[SliceRow, ...]
    better: tuple[SliceRow, ...]
    num_worse: int
    num_better: int
    num_slices: int


def slice_changes(candidate: EvalReport, baseline: EvalReport) -> SliceChanges | None:
    """By each task's first metric, on the samples that both have a value for; None when nothing is sliced."""
    before = {task.name: task for task in baseline.tasks}
    rows = [row for task in candidate.tasks if task.name in before for row in _rows(task, before[task.name])]
    if not rows:
        return None
    worse = sorted((row for row in rows if row.gain < 0), key=lambda row: (row.gain, -row.num_samples))
    better = sorted((row for row in rows if row.gain > 0), key=lambda row: (-row.gain, -row.num_samples))
    return SliceChanges(
        tuple(worse[:_MAX_SHOWN]), tuple(better[:_MAX_SHOWN]), len(worse), len(better), num_slices=len(rows)
    )


def _rows(task: TaskReport, before: TaskReport) -> Iterator[SliceRow]:
    metric = task.metrics[0]
    better = 1 if metric.higher_is_better else -1
    pairs = list(zip(before.metrics[0].values, metric.values, strict=False))  # the candidate may have fewer samples
    for by, names in task.slices.items():
        of_slice: dict[str, list[tuple[float, float]]] = {}
        for name, (old, new) in zip(names, pairs, strict=True):
            if old is not None and new is not None:
                of_slice.setdefault(name, []).append((old, new))
        for name, values in of_slice.items():
            old, new = _means(values)
            yield SliceRow(task.name, by, name, len(values), old, new, better * (new - old))


def _means(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return fmean(old for old, _ in values), fmean(new for _, new in values)
