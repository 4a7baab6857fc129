"""What an hour of a step costs on the machine that it computes on, and whether a budget can be held by it."""

import logging
from pathlib import Path

import pytest

from ratchet.clients.settings import Prices, Settings, StoreSettings
from ratchet.core.budget import Budget
from ratchet.core.costs import StepRate
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.rates import held_budget, rates_of
from ratchet.recipes.resources import PodResources
from ratchet.steps import STEPS

ROOT = Path(__file__).parent.parent.parent.parent
RECIPE = load_recipe("support", ROOT)
PRICES = Prices(currency="EUR", cpu_per_hour=0.1, gpu_per_hour=2.5, serving_per_hour=0.7)
CLUSTER = {"runtime": "kubernetes", "tracking_uri": "http://m", "store": StoreSettings(kind="s3", bucket="b")}


@pytest.mark.parametrize(
    ("step", "settings", "gpus", "rate"),
    [
        ("finetune", {}, 0, StepRate(kind="cpu", per_hour=0.1)),
        ("finetune", {"device": "cuda"}, 0, StepRate(kind="gpu", per_hour=2.5)),  # this machine has one
        ("gate", {"device": "cuda"}, 0, StepRate(kind="cpu", per_hour=0.1)),  # its image computes nothing on a GPU
        ("finetune", {"device": "cuda", **CLUSTER}, 4, StepRate(kind="gpu", per_hour=10.0)),
        ("evaluate", {"device": "cuda", **CLUSTER}, 0, StepRate(kind="cpu", per_hour=0.1)),
    ],
)
def test_a_step_is_priced_by_what_it_computes_on(step: str, settings: dict, gpus: int, rate: StepRate) -> None:
    recipe = RECIPE.model_copy(update={"pods": {step: PodResources(gpus=gpus)}})

    rates = rates_of(recipe, Settings(root=ROOT, costs=PRICES, **settings))

    assert rates
    assert rates.steps[step] == rate
    assert rates.steps.keys() == STEPS.keys()
    assert (rates.serving_per_hour, rates.missing) == (0.7, ("storage",))


def test_without_prices_nothing_has_a_rate() -> None:
    assert rates_of(RECIPE, Settings(root=ROOT)) is None


def test_a_budget_without_prices_is_not_held_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    recipe = RECIPE.model_copy(update={"budget": Budget(per_release=1.0)})

    with caplog.at_level(logging.WARNING):
        assert held_budget(recipe, Settings(root=ROOT, costs=PRICES)) == recipe.budget
        assert caplog.messages == []
        assert held_budget(recipe, Settings(root=ROOT)) is None

    assert "ratchet.toml sets no prices" in caplog.text


def test_questions_that_are_limited_in_number_do_not_grow_with_the_data() -> None:
    unlimited = tuple(task.model_copy(update={"max_samples": None}) for task in RECIPE.tasks)

    assert "evaluate" not in RECIPE.grows_with_rows
    assert "evaluate" in RECIPE.model_copy(update={"tasks": unlimited}).grows_with_rows
