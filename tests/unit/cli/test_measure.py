"""Two models are measured as a release of the recipe would measure them."""

from pathlib import Path
from typing import Any

import pytest
from tests.fakes.datasets import DATASET, hand_in
from tests.fakes.events import event, model

from ratchet.cli.measure import measure
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.contract import Contract
from ratchet.core.errors import NotSetUp
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

ROOT = Path(__file__).parents[3]


class Asked(Exception):
    """Ends the measuring with its first step."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(Settings(root=ROOT, state_dir=tmp_path), tmp_path / "work")
    made.ledger("support").append(lambda _: event("bootstrap", "a"))
    hand_in(made, "one")
    return made


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("support", ROOT).model_copy(update={"dataset": DATASET})


def first_asked(world: World, recipe: Recipe) -> Any:
    asked: list[Contract] = []

    def do(step: str, inputs: Contract) -> None:
        asked.append(inputs)
        raise Asked

    with pytest.raises(Asked):
        measure(do, world, recipe, model("b"), model("a"))
    return asked[0]


def test_the_recipes_base_counts_the_tokens_though_the_line_began_with_another(world: World, recipe: Recipe) -> None:
    base = world.name_base(recipe.base, model("tiny"))

    assert first_asked(world, recipe).base == base
    assert base != model("a")


def test_without_the_base_it_says_what_brings_it(world: World, recipe: Recipe) -> None:
    with pytest.raises(NotSetUp, match="run `ratchet up`"):
        first_asked(world, recipe)
