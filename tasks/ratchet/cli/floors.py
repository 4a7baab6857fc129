"""`--min TASK[.METRIC]=VALUE`: floors for one comparison, as a CI job sets them."""

import math
from collections.abc import Mapping, Sequence

from ratchet.core.checks import Check, GatePolicy
from ratchet.core.errors import TerminalError
from ratchet.evaluate.task_file import TaskFile, nearest, parse_task
from ratchet.recipes.recipe import Recipe


def with_floors(recipe: Recipe, words: Sequence[str]) -> Recipe:
    """The recipe with one more blocking check for each word. Raises TerminalError, naming what would be valid."""
    if not words:
        return recipe
    tasks = {task.name: parse_task(task.name, task.config_yaml) for task in recipe.tasks}
    floors = [parse_floor(word, tasks) for word in dict.fromkeys(words)]
    names = {check.name for check in recipe.gate.checks}
    if taken := [floor.name for floor in floors if floor.name in names]:
        raise TerminalError(f"the gate file has a check named {taken[0]!r} already")
    policy = GatePolicy(**{**dict(recipe.gate), "checks": (*recipe.gate.checks, *floors)})
    return recipe.model_copy(update={"gate": policy})


def parse_floor(word: str, tasks: Mapping[str, TaskFile]) -> Check:
    """E.g. "mmlu=0.65" or "gsm8k.exact_match=0.5"; without a metric it is the task's first."""
    named, _, value = word.partition("=")
    task_name, _, metric = named.partition(".")
    floor = _number(value)
    if not task_name or floor is None:
        raise TerminalError(f"--min {word!r}: expected TASK=VALUE or TASK.METRIC=VALUE, e.g. {_example(tasks)}=0.65")
    if task_name not in tasks:
        raise TerminalError(
            f"--min {word!r}: no task {task_name!r}{nearest(task_name, tasks)}; "
            f"the recipe has {', '.join(sorted(tasks))}"
        )
    metrics = tasks[task_name].metrics
    metric = metric or next(iter(metrics))
    if metric not in metrics:
        raise TerminalError(
            f"--min {word!r}: task {task_name} has no metric {metric!r}{nearest(metric, metrics)}; "
            f"it has {', '.join(metrics)}"
        )
    if not metrics[metric]:
        raise TerminalError(
            f"--min {word!r}: less is better for {metric}, so that its limit is a ceiling: "
            'write it into the gate file, `kind = "floor"`'
        )
    name = f"{task_name}.{metric} at least {value}"
    return Check(name=name, task=task_name, metric=metric, kind="floor", floor=floor)


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _example(tasks: Mapping[str, TaskFile]) -> str:
    return next(iter(tasks), "mmlu")
