"""One row per text: duplicates folded, contradictions settled."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ratchet.core.datasets import Row
from ratchet.prepare.sides import normalized


@dataclass(frozen=True)
class DistinctText:
    """`row` is the first one with the label that most rows of this text have; None when two labels have most."""

    key: str
    row: Row | None
    num_duplicates: int
    num_conflicting: int


def distinct_texts(rows: Iterable[Row]) -> list[DistinctText]:
    """In the order in which each text first appears, which must not depend on what is appended later."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(normalized(row.text), []).append(row)
    return [_settled(key, group) for key, group in groups.items()]


def _settled(key: str, rows: list[Row]) -> DistinctText:
    votes = Counter(row.label for row in rows).most_common(2)
    if len(votes) == 2 and votes[0][1] == votes[1][1]:
        return DistinctText(key, None, num_duplicates=0, num_conflicting=len(rows))
    label, most = votes[0]
    first = next(row for row in rows if row.label == label)
    return DistinctText(key, first, num_duplicates=most - 1, num_conflicting=len(rows) - most)
