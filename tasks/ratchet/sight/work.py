"""The records of finished and failed work in the store: how long steps take, what memory they need, how they fail."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import SummaryMetricFamily
from prometheus_client.metrics_core import Metric

from ratchet.clients.store import Store
from ratchet.core.memo import ErrorRecord, Manifest
from ratchet.sight.families import counters, gauges, seconds
from ratchet.steps import STEPS


@dataclass(frozen=True)
class Done:
    """What is kept in memory of one manifest."""

    started_at: datetime
    wall_seconds: float
    peak_memory_mib: float


@dataclass(frozen=True)
class WorkFacts:
    """`done`: by step, in no order. `failures`: attempts that failed, by step and exit code; some were tried again."""

    line: str
    done: Mapping[str, Sequence[Done]]
    failures: Counter[tuple[str, str]]


WITHOUT_CODE = "unknown"  # records that are older than codes


@dataclass
class Work:
    """Remembers the records that it has read: they are written once, and never change."""

    store: Store
    line: str
    _done: dict[str, dict[str, Done]] = field(default_factory=lambda: {step: {} for step in STEPS})
    _failed: dict[str, tuple[str, str]] = field(default_factory=dict)

    def gather(self) -> WorkFacts:
        for step, read in self._done.items():
            for key in _unread(self.store, f"manifests/{step}/", read):
                read[key] = _done(Manifest.model_validate_json(self.store.get(key) or b""))
            for key in _unread(self.store, f"errors/{step}/", self._failed):
                record = ErrorRecord.model_validate_json(self.store.get(key) or b"")
                self._failed[key] = step, record.code or WITHOUT_CODE
        done = {step: list(read.values()) for step, read in self._done.items() if read}
        return WorkFacts(self.line, done, Counter(self._failed.values()))


def families(facts: WorkFacts) -> list[Metric]:
    line = facts.line
    newest = {step: max(done, key=lambda one: one.started_at) for step, done in facts.done.items()}
    durations = SummaryMetricFamily(
        "ratchet_step_duration_seconds",
        "Time that finished work took; what was found again is not counted.",
        labels=["line", "step"],
    )
    for step, done in facts.done.items():
        durations.add_metric((line, step), count_value=len(done), sum_value=sum(one.wall_seconds for one in done))
    return [
        durations,
        gauges(
            line,
            "ratchet_step_last_duration_seconds",
            "Time that the newest finished work of the step took.",
            ("step",),
            {(step,): done.wall_seconds for step, done in newest.items()},
        ),
        gauges(
            line,
            "ratchet_step_peak_memory_bytes",
            "Largest resident memory of the newest finished work of the step.",
            ("step",),
            {(step,): done.peak_memory_mib * 2**20 for step, done in newest.items()},
        ),
        gauges(
            line,
            "ratchet_step_last_success_timestamp_seconds",
            "When the newest finished work of the step began.",
            ("step",),
            {(step,): seconds(done.started_at) for step, done in newest.items()},
        ),
        counters(
            line,
            "ratchet_step_failures",
            "Attempts that failed, some of them tried again, by the code that `ratchet explain` explains.",
            ("step", "code"),
            {(step, code): float(count) for (step, code), count in sorted(facts.failures.items())},
        ),
    ]


def _unread(store: Store, prefix: str, read: Iterable[str]) -> list[str]:
    known = set(read)
    return [key for key in store.keys(prefix) if key not in known]


def _done(manifest: Manifest) -> Done:
    return Done(manifest.started_at, manifest.wall_seconds, manifest.peak_memory_mib)
