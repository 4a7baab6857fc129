"""How much of a dataset version production has not been tuned on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ratchet.core.datasets import is_forgotten


def count_new_rows(rows: Path, tuned_on: Path) -> int:
    """Rows of `rows` whose id is not in `tuned_on`; both are JSON lines of core.datasets.Row, read line by line."""
    known = set(_ids(tuned_on))
    return sum(row_id not in known for row_id in _ids(rows))


def count_forgotten(tuned_on: Path, digests: frozenset[str]) -> int:
    """Rows that production was tuned on and must not know any more."""
    return sum(is_forgotten(row["id"], row["text"], digests) for row in _rows(tuned_on)) if digests else 0


def _ids(rows: Path) -> Iterator[str]:
    return (row["id"] for row in _rows(rows))


def _rows(rows: Path) -> Iterator[dict[str, Any]]:
    with rows.open("rb") as lines:
        for line in lines:
            yield json.loads(line)
