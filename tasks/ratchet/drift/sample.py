"""Which rows are looked at: the same each time, as good as at random, each text once."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ratchet.core.drift import Row
from ratchet.core.redact import redacted


def sample(rows: Iterable[Row], num_rows: int, seed: int) -> list[Row]:
    """By a digest of the text: one text is one row, however often it comes. Memory does not grow with the rows."""
    kept: dict[str, Row] = {}
    last = ""
    for text, label in rows:
        mark = hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "replace")).hexdigest()
        if not last or mark < last:
            kept[mark] = (text, label)
        if len(kept) > 2 * num_rows:
            kept = dict(sorted(kept.items())[:num_rows])
            last = max(kept)
    return [row for _, row in sorted(kept.items())[:num_rows]]


def rows_of(path: Path) -> Iterator[Row]:
    with path.open("rb") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["text"], row["label"]


def as_captured(rows: Iterable[Row]) -> Iterator[Row]:
    """As the edge would have kept them: what is hidden on one side is no difference."""
    return ((redacted(text), label) for text, label in rows)


def answers_with_labels(now: Sequence[Row], before: Sequence[Row]) -> bool:
    """Are the answers labels, not texts? Then most of them are among those that the line was trained on."""
    labels = {label for _, label in before}
    return 2 * sum(label in labels for _, label in now) > len(now)
