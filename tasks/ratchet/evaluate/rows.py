"""The rows that a task asks: read, checked, and drawn."""

import json
import random
from pathlib import Path
from typing import Any

from ratchet.core.errors import TerminalError
from ratchet.evaluate.task_file import TaskFile

Row = dict[str, Any]


class BadRows(TerminalError, ValueError):
    """A task's data is not what the task asks for."""


def read_rows(path: Path, task: TaskFile) -> list[Row]:
    """JSON lines, each with every field that the task file names. Raises BadRows, naming task and row."""
    rows: list[Row] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadRows(f"task {task.name}, row {number}: expected a JSON object, got {line[:80]!r}") from error
        missing = [field for field in task.fields if field not in row] if isinstance(row, dict) else list(task.fields)
        if missing or not isinstance(row, dict):
            # lm-eval would take the name of a field that is not there for the question itself.
            found = sorted(row) if isinstance(row, dict) else type(row).__name__
            raise BadRows(f"task {task.name}, row {number}: expected the fields {missing}, got {found}")
        rows.append(row)
    if not rows:
        raise BadRows(f"task {task.name}: its data has no rows, so there is nothing to ask")
    return rows


def draw(rows: list[Row], max_samples: int | None, seed: int) -> list[Row]:
    """All rows as they come, or `max_samples` of them in an order that only `seed` decides."""
    if max_samples is None or len(rows) <= max_samples:
        return rows
    return random.Random(seed).sample(rows, max_samples)  # noqa: S311 - a fair draw, not a secret
