"""Which work of a run the decision report tells the time and the price of."""

from collections.abc import Sequence
from typing import Any, Protocol

from ratchet.clients.settings import Settings
from ratchet.orchestration.operator import MANIFEST_KEY
from ratchet.recipes.recipe import Recipe
from ratchet.steps import STEPS


class StepTask(Protocol):
    """Either operator of a step."""

    task_id: str
    step: str
    output: Any


def work_so_far(recipe: Recipe, settings: Settings, tasks: Sequence[StepTask]) -> dict[str, Any]:
    """The fields of report's RunWork: `tasks` are the run's steps up to the report, resolve first."""
    return {
        "currency": settings.costs.currency if settings.costs else "",
        "tasks": [
            {
                "task": task.task_id,
                "step": task.step,
                "key": task.output[MANIFEST_KEY],
                "price_per_hour": price_per_hour(recipe, settings, task.step),
            }
            for task in tasks
        ],
    }


def price_per_hour(recipe: Recipe, settings: Settings, step: str) -> float | None:
    """Of the machine that the step computes on; None where ratchet.toml sets no prices."""
    prices = settings.costs
    if prices is None:
        return None
    if settings.device_of(STEPS[step].image) == "cpu":
        return prices.cpu_per_hour
    num_gpus = recipe.pod_of(step).gpus if settings.runtime == "kubernetes" else 1
    return num_gpus * (prices.gpu_per_hour or 0.0) if num_gpus else prices.cpu_per_hour
