"""Which work of a run the decision report tells the time and the price of."""

from collections.abc import Sequence
from typing import Any, Protocol

from ratchet.clients.settings import Settings
from ratchet.core.memo import MANIFEST_KEY
from ratchet.recipes.prices import price_per_hour
from ratchet.recipes.recipe import Recipe


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
