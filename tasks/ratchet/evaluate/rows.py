"""The rows that a task asks: read, checked, and put in order."""

import json
from pathlib import Path
from typing import Any

from ratchet.core.contract import digest_json
from ratchet.core.errors import TerminalError
from ratchet.core.evaluation import sample_id
from ratchet.evaluate.task_file import TaskFile

Row = dict[str, Any]


class BadRows(TerminalError, ValueError):
    """A task's data is not what the task asks for."""

    code = "TASK_INVALID"


def read_rows(path: Path, task: TaskFile) -> list[Row]:
    """JSON lines, all different, each with every field that the task file names. Raises BadRows, naming the row."""
    rows: list[Row] = []
    row_of: dict[str, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadRows(
                f"task {task.name}, row {number}: expected a JSON object, got {len(line)} bytes that are none"
            ) from error
        missing = [field for field in task.fields if field not in row] if isinstance(row, dict) else list(task.fields)
        if missing or not isinstance(row, dict):
            # lm-eval would take the name of a field that is not there for the question itself.
            found = sorted(row) if isinstance(row, dict) else type(row).__name__
            raise BadRows(f"task {task.name}, row {number}: expected the fields {missing}, got {found}")
        if (first := row_of.setdefault(sample_id(row), number)) != number:
            raise BadRows(f"task {task.name}, row {number}: the same as row {first}; leave one out")
        rows.append(row)
    if not rows:
        raise BadRows(f"task {task.name}: its data has no rows, so there is nothing to ask")
    return rows


def in_order(rows: list[Row], max_samples: int | None, seed: int) -> list[Row]:
    """At most `max_samples` of the rows, in an order that only `seed` and the rows themselves decide.

    A row keeps its place among the others when rows are added, so any first part of them is a fair draw.
    """
    drawn = sorted(rows, key=lambda row: digest_json([seed, sample_id(row)]))
    return drawn if max_samples is None else drawn[:max_samples]
