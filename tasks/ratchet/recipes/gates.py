"""Gate files: what is good enough, read when a recipe is built, so that a slip of the pen stops before any training.

alpha = 0.05
power = 0.8

[[check]]
name = "intent does not get worse"
task = "intent"
metric = "exact_match"
kind = "no_regression"
margin = 0.03
"""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ratchet.core.checks import Check, GatePolicy
from ratchet.core.errors import TerminalError
from ratchet.evaluate.task_file import TaskFile, nearest, parse_task


class BadGate(TerminalError, ValueError):
    """A gate file does not say what it must, or names what nobody measures."""


def load_gate(path: Path, tasks: Mapping[str, str]) -> GatePolicy:
    """Read one gate file.

    Args:
        tasks: task name → its YAML; a check may name their metrics only.
    Raises:
        BadGate: names the file, the row and the key, and the nearest valid name.
        BadTask: one of the task files is at fault.
    """
    known = {name: parse_task(name, config_yaml) for name, config_yaml in tasks.items()}
    content = _read(path)
    _check_keys(path.name, content, {"alpha", "power", "num_looks", "check"})
    rows = content.pop("check", [])
    if not isinstance(rows, list) or not rows:
        raise BadGate(f"{path.name}: no checks; write at least one [[check]]")
    checks = tuple(_check(f"{path.name}, check {number}", row, known) for number, row in enumerate(rows, start=1))
    names = [check.name for check in checks]
    if len(set(names)) < len(names):
        raise BadGate(f"{path.name}: checks share a name: {sorted({name for name in names if names.count(name) > 1})}")
    try:
        return GatePolicy(**content, checks=checks)
    except ValidationError as error:
        raise BadGate(f"{path.name}: {_in_words(error)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadGate(f"{path.name}: cannot be read: {error}") from error


def _check(where: str, row: dict[str, Any], tasks: Mapping[str, TaskFile]) -> Check:
    _check_keys(where, row, set(Check.model_fields))
    try:
        check = Check(**row)
    except ValidationError as error:
        raise BadGate(f"{where}: {_in_words(error)}") from error
    if check.task not in tasks:
        raise BadGate(f"{where}: no task {check.task!r}{nearest(check.task, tasks)}; the recipe has {sorted(tasks)}")
    task = tasks[check.task]
    _check_known(where, check.task, "metric", check.metric, task.metrics)
    if check.by is not None:
        _check_known(where, check.task, "slicing", check.by, task.slices)
    direction = "higher" if task.metrics[check.metric] else "lower"
    if check.better not in (None, direction):
        raise BadGate(
            f"{where}: better = {check.better!r}, but {direction} is better for {check.metric} in "
            f"quality_gates/tasks/{check.task}.yaml (higher_is_better): mend whichever is wrong"
        )
    return check


def _check_known(where: str, task: str, what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise BadGate(
            f"{where}: task {task} has no {what} {name!r}{nearest(name, known)}; it has {sorted(known) or 'none'}"
        )


def _check_keys(where: str, given: Mapping[str, Any], known: set[str]) -> None:
    for key in given:
        if key not in known:
            raise BadGate(f"{where}: unknown key {key!r}{nearest(key, known)}; known are {sorted(known)}")


def _in_words(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'the row'}: {problem['msg']} (got {problem['input']!r})"
        for problem in error.errors()
    )
