"""What the steps of a recipe cost on this platform."""

from ratchet.clients.settings import Prices, Settings
from ratchet.core.budget import Budget
from ratchet.core.costs import Rates, StepRate
from ratchet.core.log import log
from ratchet.recipes.recipe import Recipe
from ratchet.steps import STEPS


def rates_of(recipe: Recipe, settings: Settings) -> Rates | None:
    """None where ratchet.toml sets no prices."""
    prices = settings.costs
    if prices is None:
        return None
    return Rates(
        currency=prices.currency,
        steps={step: _rate(recipe, settings, prices, step) for step in STEPS},
        storage_per_gib_month=prices.storage_per_gib_month,
        serving_per_hour=prices.serving_per_hour,
    )


def held_budget(recipe: Recipe, settings: Settings) -> Budget | None:
    """The recipe's, if there are prices to hold it by; says so when there are none."""
    if recipe.budget and settings.costs is None:
        log.warning(
            "the recipe's budget is not held: ratchet.toml sets no prices, see [costs] in docs/settings.md",
            extra={"line": recipe.line},
        )
        return None
    return recipe.budget


def _rate(recipe: Recipe, settings: Settings, prices: Prices, step: str) -> StepRate:
    """Of the machine that the step computes on."""
    on_gpu = settings.device_of(STEPS[step].image) != "cpu"
    num_gpus = recipe.pod_of(step).gpus if settings.runtime == "kubernetes" else 1
    if not on_gpu or not num_gpus:
        return StepRate(kind="cpu", per_hour=prices.cpu_per_hour)
    return StepRate(kind="gpu", per_hour=num_gpus * (prices.gpu_per_hour or 0.0))
