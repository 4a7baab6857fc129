"""What an hour of a step costs on the machine that it computes on."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from ratchet.clients.settings import Prices, Settings, StoreSettings
from ratchet.orchestration.costs import work_so_far
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.prices import price_per_hour
from ratchet.recipes.resources import PodResources

ROOT = Path(__file__).parent.parent.parent.parent
RECIPE = load_recipe("support", ROOT)
PRICES = Prices(currency="EUR", cpu_per_hour=0.1, gpu_per_hour=2.5)
CLUSTER = {"runtime": "kubernetes", "tracking_uri": "http://m", "store": StoreSettings(kind="s3", bucket="b")}


@pytest.mark.parametrize(
    ("step", "settings", "gpus", "price"),
    [
        ("finetune", {"costs": PRICES}, 0, 0.1),
        ("finetune", {"costs": PRICES, "device": "cuda"}, 0, 2.5),  # this machine has one
        ("gate", {"costs": PRICES, "device": "cuda"}, 0, 0.1),  # its image computes nothing on a GPU
        ("finetune", {"costs": PRICES, "device": "cuda", **CLUSTER}, 4, 10.0),
        ("evaluate", {"costs": PRICES, "device": "cuda", **CLUSTER}, 0, 0.1),
        ("finetune", {}, 0, None),
    ],
)
def test_a_step_is_priced_by_what_it_computes_on(step: str, settings: dict, gpus: int, price: float | None) -> None:
    recipe = RECIPE.model_copy(update={"pods": {step: PodResources(gpus=gpus)}})

    assert price_per_hour(recipe, Settings(root=ROOT, **settings), step) == price


def test_each_task_is_named_with_its_manifest() -> None:
    task = SimpleNamespace(task_id="evaluate_baseline", step="evaluate", output={"manifest_key": "1" * 64})

    assert work_so_far(RECIPE, Settings(root=ROOT, costs=PRICES), [task]) == {
        "currency": "EUR",
        "tasks": [{"task": "evaluate_baseline", "step": "evaluate", "key": "1" * 64, "price_per_hour": 0.1}],
    }
