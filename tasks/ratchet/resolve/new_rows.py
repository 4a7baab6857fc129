"""How much of a dataset version production has not been tuned on."""

import json
from collections.abc import Iterator
from pathlib import Path


def count_new_rows(rows: Path, tuned_on: Path) -> int:
    """Rows of `rows` whose id is not in `tuned_on`; both are JSON lines of core.datasets.Row, read line by line."""
    known = set(_ids(tuned_on))
    return sum(row_id not in known for row_id in _ids(rows))


def _ids(rows: Path) -> Iterator[str]:
    with rows.open("rb") as lines:
        for line in lines:
            yield json.loads(line)["id"]
