"""Measuring in looks: part by part, in the same order for every model, until nothing more can change the answer."""

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from ratchet.core.log import log
from ratchet.core.sequential import look_counts
from ratchet.core.telemetry import span
from ratchet.evaluate.rows import Row
from ratchet.evaluate.task_file import TaskFile

Records = dict[str, list[dict[str, Any]]]  # task name → lm-eval's record of each row asked so far
Part = list[tuple[TaskFile, Sequence[Row]]]


def first_look(tasks: Mapping[str, tuple[TaskFile, Sequence[Row]]], num_looks: int) -> Part:
    return [(file, rows[: look_counts(len(rows), num_looks)[0]]) for file, rows in tasks.values()]


def measure_in_looks(
    tasks: Mapping[str, tuple[TaskFile, Sequence[Row]]],
    num_looks: int,
    ask: Callable[[Part], Records],
    still_open: Callable[[Records], Set[str]],
) -> Records:
    """Ask the rows of each look, of the tasks that are still open after the look before.

    Args:
        tasks: task name → its file and its rows, in the order in which they are asked.
        ask: has a model answer one part of the rows.
        still_open: the tasks worth measuring further, after each look.
    """
    ends = {name: look_counts(len(rows), num_looks) for name, (_, rows) in tasks.items()}
    records: Records = {name: [] for name in tasks}
    going_on = set(tasks)
    for look in range(num_looks):
        part: Part = [
            (file, rows[len(records[name]) : ends[name][look]])
            for name, (file, rows) in tasks.items()
            if name in going_on and look < len(ends[name])
        ]
        if not part:
            break
        with span("look", number=look + 1, num_samples=sum(len(rows) for _, rows in part)):
            answers = ask(part)
        for name, answered in answers.items():
            records[name] += answered
        going_on &= still_open(records)
        measured = {name: len(records[name]) for name in tasks}
        log.info("look", extra={"look": look + 1, "looks": num_looks, **measured, "going_on": sorted(going_on)})
    return records
