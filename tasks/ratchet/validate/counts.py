"""What one pass over an upload counted, and the metrics that the expectations are about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ratchet.validate.contract import ReasonCount


@dataclass(frozen=True)
class Counts:
    """`labels` are the accepted rows' (label, rows), most frequent first, the first few hundred of `num_labels`."""

    num_read: int
    num_accepted: int
    num_quarantined: int
    num_redacted: int
    num_warned: int
    reasons: tuple[ReasonCount, ...]
    num_labels: int
    labels: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        if self.num_read != self.num_accepted + self.num_quarantined:
            raise AssertionError(
                f"{self.num_read} rows read, {self.num_accepted} + {self.num_quarantined} kept: rows were lost"
            )


@dataclass(frozen=True)
class Labels:
    """Of some usable rows: how many they are, how many labels they have, and the rows of the most frequent one."""

    num_rows: int
    num_labels: int
    num_of_largest: int


def labels_of(counts: Counts, ask: Callable[[str], list[Any]], min_rows: int) -> Labels:
    """Of the accepted rows; of so few that they could be no data set, together with the version they are added to.

    Mended rows are sent again by the dozen, and may all have one label.
    """
    if 0 < counts.num_accepted < min_rows:
        rows = "SELECT label FROM accepted UNION ALL SELECT label FROM previous"
        [[*found]] = ask(
            f"SELECT sum(n)::BIGINT, count(*), max(n) FROM (SELECT count(*) AS n FROM ({rows}) GROUP BY label)"  # noqa: S608
        )
        return Labels(*found)
    return Labels(counts.num_accepted, counts.num_labels, counts.labels[0][1] if counts.labels else 0)


def batch_metrics(counts: Counts, labels: Labels) -> dict[str, int | float]:
    """Counts, and shares of the rows read (`share_<reason>`).

    `num_accepted`, `num_labels` and `share_largest_label` are of the rows that `labels` is about: with a few accepted
    rows also of those they are added to.
    """
    return {
        "num_read": counts.num_read,
        "num_accepted": labels.num_rows,
        "num_labels": labels.num_labels,
        "share_quarantined": _share(counts.num_quarantined, counts.num_read),
        "share_largest_label": _share(labels.num_of_largest, labels.num_rows),
        **{f"share_{reason.reason}": _share(reason.num_rows, counts.num_read) for reason in counts.reasons},
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
