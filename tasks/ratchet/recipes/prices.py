"""What an hour of a step costs."""

from ratchet.clients.settings import Settings
from ratchet.recipes.recipe import Recipe
from ratchet.steps import STEPS


def price_per_hour(recipe: Recipe, settings: Settings, step: str) -> float | None:
    """Of the machine that the step computes on; None where ratchet.toml sets no prices."""
    prices = settings.costs
    if prices is None:
        return None
    if settings.device_of(STEPS[step].image) == "cpu":
        return prices.cpu_per_hour
    num_gpus = recipe.pod_of(step).gpus if settings.runtime == "kubernetes" else 1
    return num_gpus * (prices.gpu_per_hour or 0.0) if num_gpus else prices.cpu_per_hour
