"""The dataset's journal and the receipts of its uploads: rows in, rows kept out and why, and how far the data moved."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from prometheus_client.metrics_core import Metric

from ratchet.clients.store import Store
from ratchet.clients.world import World
from ratchet.core.datasets import DatasetVersion
from ratchet.core.drift import MIN_HISTORY, UNUSUAL_DEVIATIONS
from ratchet.sight.families import counters, gauge, gauges, seconds

# Below this share no jump is worth a person's time, however even the uploads before were.
WORTH_TELLING = 0.05
# Metric, field of core.drift.Shift, meaning.
DRIFT = (
    ("psi", "psi", "Population stability index of the newest upload against the version before."),
    ("js", "js", "Jensen-Shannon divergence of the two, in bits."),
    ("psi_limit", "limit", "What the index has to exceed: the largest of convention, chance and what has been usual."),
)


@dataclass(frozen=True)
class Upload:
    """What one receipt says.

    `broken`: reasons to quarantine, and their rows. `shifts` are core.drift.Shift as plain data.
    """

    num_read: int
    num_accepted: int
    num_quarantined: int
    broken: Mapping[str, int]
    shifts: Sequence[Mapping[str, Any]]

    @property
    def quarantined_ratio(self) -> float:
        return self.num_quarantined / max(self.num_read, 1)


@dataclass(frozen=True)
class DatasetFacts:
    """`uploads` are those that became versions, oldest first."""

    line: str
    versions: Sequence[DatasetVersion]
    uploads: Sequence[Upload]


@dataclass
class Datasets:
    """Remembers the receipts that it has read: they never change."""

    world: World
    line: str
    dataset: str
    _read: dict[str, Upload] = field(default_factory=dict)

    def gather(self) -> DatasetFacts:
        versions = self.world.datasets(self.dataset).records()
        return DatasetFacts(self.line, versions, self._uploads(self.world.store, versions))

    def _uploads(self, store: Store, versions: Sequence[DatasetVersion]) -> list[Upload]:
        receipts = {version.receipt.sha256: version.receipt for version in versions if version.uploads}
        for sha256, ref in receipts.items():
            if sha256 not in self._read:
                self._read[sha256] = upload(json.loads(store.read_bytes(ref)))
        return [self._read[sha256] for sha256 in receipts]


def upload(receipt: Mapping[str, Any]) -> Upload:
    """Receipts of every version of validate have these counts; older ones have fewer reasons."""
    changes = receipt.get("changes") or {}
    return Upload(
        num_read=receipt.get("num_read", 0),
        num_accepted=receipt.get("num_accepted", 0),
        num_quarantined=receipt.get("num_quarantined", 0),
        broken={
            reason["reason"]: reason["num_rows"]
            for reason in receipt.get("reasons", ())
            if reason.get("action", "quarantine") == "quarantine"
        },
        shifts=changes.get("shifts", ()),
    )


def families(facts: DatasetFacts) -> list[Metric]:
    line, uploads = facts.line, facts.uploads
    newest = facts.versions[-1] if facts.versions else None
    last = uploads[-1] if uploads else None
    broken: Counter[str] = Counter()
    for one in uploads:
        broken.update(one.broken)  # a sum of counters would leave out what is 0
    shifts = {shift["feature"]: shift for shift in (last.shifts if last else ())}
    return [
        gauge(line, "ratchet_dataset_rows", "Rows of the newest version.", float(newest.num_rows) if newest else None),
        gauge(
            line,
            "ratchet_dataset_version_timestamp_seconds",
            "When the newest version was made.",
            seconds(newest.at if newest else None),
        ),
        counters(
            line,
            "ratchet_intake_rows",
            "Rows of all uploads that became versions.",
            ("outcome",),
            {
                ("accepted",): float(sum(one.num_accepted for one in uploads)),
                ("quarantined",): float(sum(one.num_quarantined for one in uploads)),
            },
        ),
        counters(
            line,
            "ratchet_intake_rows_quarantined",
            "Rows kept out, by reason; a row may have several.",
            ("reason",),
            {(reason,): float(count) for reason, count in broken.items()},
        ),
        gauge(
            line,
            "ratchet_intake_quarantined_ratio",
            "Share of the newest upload's rows that were kept out.",
            last.quarantined_ratio if last else None,
        ),
        gauge(
            line,
            "ratchet_intake_quarantined_ratio_limit",
            "What that share has to exceed to be unusual: three standard deviations above the uploads before.",
            usual_limit([one.quarantined_ratio for one in uploads[:-1]]),
        ),
        *(
            gauges(
                line,
                f"ratchet_drift_{name}",
                text,
                ("feature",),
                {(feature,): shift[told] for feature, shift in shifts.items()},
            )
            for name, told, text in DRIFT
        ),
    ]


def usual_limit(before: Sequence[float]) -> float | None:
    """None while too little is known to call anything unusual."""
    if len(before) < MIN_HISTORY:
        return None
    return max(WORTH_TELLING, fmean(before) + UNUSUAL_DEVIATIONS * stdev(before))
