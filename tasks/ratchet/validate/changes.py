"""What an upload's accepted rows have that the current version has not: sizes, lengths, labels, and drift in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ratchet.core.drift import shifts
from ratchet.validate.contract import Changes, Side

Ask = Callable[[str], list[Any]]
# Enough to see what matters; the same rows each time, whatever the size of the file.
SAMPLE_ROWS = 2000
_MAX_LABELS = 10


def changes(ask: Ask, usual: Mapping[str, Sequence[float]]) -> Changes | None:
    """None when there is nothing to compare with.

    Args:
        ask: SQL about the views `accepted` and `previous` (text, label) to rows.
        usual: earlier values of each feature's stability index.
    """
    version = _side(ask, "previous")
    if version.num_rows == 0:
        return None
    num_new_labels, new_labels = _labels(ask, "accepted", "previous")
    num_absent_labels, absent_labels = _labels(ask, "previous", "accepted")
    [[num_new_rows]] = ask("SELECT count(*) FROM accepted ANTI JOIN previous USING (text, label)")
    return Changes(
        upload=_side(ask, "accepted"),
        version=version,
        num_new_rows=num_new_rows,
        num_new_labels=num_new_labels,
        new_labels=new_labels,
        num_absent_labels=num_absent_labels,
        absent_labels=absent_labels,
        shifts=shifts(_sample(ask, "accepted"), _sample(ask, "previous"), usual),
    )


def _side(ask: Ask, view: str) -> Side:
    lengths = "coalesce(quantile_cont(length(text), 0.5), 0), coalesce(quantile_cont(length(text), 0.95), 0)"
    [[num_rows, num_labels, median, p95]] = ask(f"SELECT count(*), count(DISTINCT label), {lengths} FROM {view}")  # noqa: S608
    [[num_different]] = ask(f"SELECT count(*) FROM (SELECT DISTINCT text, label FROM {view})")  # noqa: S608
    return Side(
        num_rows=num_rows,
        num_repeated=num_rows - num_different,
        num_labels=num_labels,
        median_length=median,
        p95_length=p95,
    )


def _labels(ask: Ask, of: str, not_of: str) -> tuple[int, tuple[str, ...]]:
    found = ask(f"SELECT DISTINCT label FROM {of} ANTI JOIN {not_of} USING (label) ORDER BY label")  # noqa: S608
    return len(found), tuple(label for [label] in found[:_MAX_LABELS])


def _sample(ask: Ask, view: str) -> list[tuple[str, str]]:
    """By the rows' digests: as good as at random, and the same each time."""
    return [
        (text, label)
        for text, label in ask(
            f"SELECT text, label FROM {view} ORDER BY md5(text || chr(0) || label) LIMIT {SAMPLE_ROWS}"  # noqa: S608
        )
    ]
