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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ratchet.core.checks import Check, GatePolicy, PreferenceCheck
from ratchet.core.errors import TerminalError
from ratchet.evaluate.task_file import TaskFile, nearest, parse_task


class BadGate(TerminalError, ValueError):
    """A gate file does not say what it must, or names what nobody measures."""

    code = "RECIPE_INVALID"


# What `convert` and `stage` judge themselves: kind → metric → (the row's key for its limit, the setting that it is).
JUDGED_ELSEWHERE = {
    "parity": {
        "next_token": ("floor", "min_top1_agreement"),
        "same_answer": ("floor", "min_same_answers"),
        "label_accuracy": ("margin", "max_label_accuracy_drop"),
    },
    "latency": {
        "answer_ms": ("max_ratio", "max_latency_ratio"),
        "ttft_ms": ("max_ratio", "max_ttft_ratio"),
        "inter_token_ms": ("max_ratio", "max_inter_token_ratio"),
    },
}
# Judged by `gate` too, but from ratings, not from a metric.
PREFERENCE = "preference"
GENERATES = "generate_until"


@dataclass(frozen=True)
class Gate:
    """A gate file: what `gate` judges, and the limits that it sets for convert (`parity`) and stage (`latency`)."""

    policy: GatePolicy
    parity: dict[str, float]
    latency: dict[str, float]


def load_gate(path: Path, tasks: Mapping[str, str]) -> Gate:
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
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise BadGate(f"{path.name}: no checks; write at least one [[check]]")
    named = [(f"{path.name}, check {number}", row) for number, row in enumerate(rows, start=1)]
    for where, row in named:
        needed = ("name", "kind") if row.get("kind") == PREFERENCE else ("name", "kind", "metric")
        if wrong := [key for key in needed if not isinstance(row.get(key), str)]:
            raise BadGate(f"{where}: {wrong[0]}: expected text, got {row.get(wrong[0])!r}")
    names = [row["name"] for row in rows]
    if twice := {name for name in names if names.count(name) > 1}:
        raise BadGate(f"{path.name}: checks share a name: {sorted(twice)}")
    limits: dict[str, dict[str, float]] = {kind: {} for kind in JUDGED_ELSEWHERE}
    for where, row in named:
        if row["kind"] in JUDGED_ELSEWHERE:
            setting, limit = _limit(where, row)
            if setting in limits[row["kind"]]:
                raise BadGate(f"{where}: another row limits {row['metric']} already: keep one of the two")
            limits[row["kind"]][setting] = limit
    measured = [(where, row) for where, row in named if row["kind"] not in (*JUDGED_ELSEWHERE, PREFERENCE)]
    checks = tuple(_check(where, row, known) for where, row in measured)
    preferences = tuple(_preference(where, row, known) for where, row in named if row["kind"] == PREFERENCE)
    try:
        return Gate(GatePolicy(**content, checks=checks, preferences=preferences), **limits)
    except ValidationError as error:
        raise BadGate(f"{path.name}: {_in_words(error)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadGate(f"{path.name}: cannot be read: {error}") from error


def _limit(where: str, row: Mapping[str, Any]) -> tuple[str, float]:
    """The setting that a row stands for, and its value."""
    metrics = JUDGED_ELSEWHERE[row["kind"]]
    metric = row.get("metric")
    if metric not in metrics:
        raise BadGate(
            f"{where}: no {row['kind']} metric {metric!r}{nearest(str(metric), metrics)}; it has {sorted(metrics)}"
        )
    key, setting = metrics[metric]
    _check_keys(where, row, {"name", "kind", "metric", key})
    value = row.get(key)
    if not isinstance(value, int | float) or not value > 0 or (key != "max_ratio" and value >= 1):
        raise BadGate(
            f"{where}: {key}: expected a number above 0{'' if key == 'max_ratio' else ' and below 1'}, got {value!r}"
        )
    return setting, float(value)


def _check(where: str, row: dict[str, Any], tasks: Mapping[str, TaskFile]) -> Check:
    _check_keys(where, row, set(Check.model_fields))
    try:
        check = Check(**row)
    except ValidationError as error:
        raise BadGate(f"{where}: {_in_words(error)}") from error
    task = _task(where, check.task, tasks)
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


def _preference(where: str, row: Mapping[str, Any], tasks: Mapping[str, TaskFile]) -> PreferenceCheck:
    fields = {key: value for key, value in row.items() if key != "kind"}
    _check_keys(where, fields, set(PreferenceCheck.model_fields))
    try:
        check = PreferenceCheck(**fields)
    except ValidationError as error:
        raise BadGate(f"{where}: {_in_words(error)}") from error
    output_type = _task(where, check.task, tasks).config["output_type"]
    if output_type != GENERATES:
        raise BadGate(
            f"{where}: task {check.task} is {output_type}, so it has no answers to prefer; expected {GENERATES}"
        )
    return check


def _task(where: str, name: str, tasks: Mapping[str, TaskFile]) -> TaskFile:
    if name not in tasks:
        raise BadGate(f"{where}: no task {name!r}{nearest(name, tasks)}; the recipe has {sorted(tasks)}")
    return tasks[name]


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
