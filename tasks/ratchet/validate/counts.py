"""What one pass over an upload counted, and the metrics that the expectations are about."""

from dataclasses import dataclass

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


def batch_metrics(counts: Counts) -> dict[str, int | float]:
    """Counts, and shares of the rows read (`share_<reason>`); the largest label's share is of the accepted rows."""
    return {
        "num_read": counts.num_read,
        "num_accepted": counts.num_accepted,
        "num_labels": counts.num_labels,
        "share_quarantined": _share(counts.num_quarantined, counts.num_read),
        "share_largest_label": _share(counts.labels[0][1] if counts.labels else 0, counts.num_accepted),
        **{f"share_{reason.reason}": _share(reason.num_rows, counts.num_read) for reason in counts.reasons},
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
