"""What `ratchet submit` says happens next, and what `ratchet datasets` shows of it."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from tests.fakes.datasets import DATASET, hand_in
from tests.fakes.events import event

from ratchet.cli import versions
from ratchet.cli.submit import next_release, tell_next
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.errors import NothingToDo
from ratchet.intake.forget import by_match, forget, look
from ratchet.intake.versions import Sender
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

ROOT = Path(__file__).parents[3]


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("support", ROOT).model_copy(update={"dataset": DATASET})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=120, highlight=False)


def told(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (datetime(2026, 1, 4, 23, 59, tzinfo=UTC), datetime(2026, 1, 5, 6, tzinfo=UTC)),
        (datetime(2026, 1, 5, 5, 59, tzinfo=UTC), datetime(2026, 1, 5, 6, tzinfo=UTC)),
        (datetime(2026, 1, 5, 6, 0, tzinfo=UTC), datetime(2026, 1, 12, 6, tzinfo=UTC)),
    ],
)
def test_the_next_release_is_the_next_time_of_the_recipes_schedule(
    recipe: Recipe, now: datetime, then: datetime
) -> None:
    assert next_release(recipe, now) == then


def test_whoever_submits_is_told_which_release_it_joins_and_how_to_start_one(
    world: World, recipe: Recipe, console: Console
) -> None:
    tell_next(recipe, hand_in(world, "one"), "up.csv", console)

    assert "it joins the release of Monday" in told(console)
    assert "`ratchet retrain` starts one now" in told(console)
    assert "adds nothing" not in told(console)


def test_a_file_that_is_there_already_is_said_to_add_nothing(world: World, recipe: Recipe, console: Console) -> None:
    hand_in(world, "one")

    tell_next(recipe, hand_in(world, "one"), "up.csv", console)

    assert "up.csv adds nothing: it is part of version 0 of 'tickets' already" in told(console)


def test_rows_that_were_left_out_because_they_were_forgotten_are_told(
    world: World, recipe: Recipe, console: Console
) -> None:
    hand_in(world, "one", "two")
    forget(world, DATASET, look(world, world.datasets(DATASET).records(), by_match("one", False)).digests, "mia", "17")

    tell_next(recipe, hand_in(world, "one", "three"), "up.csv", console)

    assert "1 rows were left out: they were forgotten" in told(console)


def test_the_versions_are_shown_with_what_made_each_and_what_was_trained_on_it(
    world: World, recipe: Recipe, console: Console
) -> None:
    first = hand_in(world, "one", "two", sender=Sender("noor", note="monday"), file_name="a\x1b[2J.csv").version
    hand_in(world, "three")
    ledger = world.ledger(recipe.line)
    ledger.append(lambda _: event("bootstrap", "a"))
    ledger.append(lambda _: event("approved", "b", dataset_sha256=first.rows.sha256))

    versions.show(versions.gather(world, recipe), console)

    lines = told(console).splitlines()
    shown = next(line for line in lines if "noor" in line).split()
    assert (shown[:4], shown[-3:]) == (["0", "2", "+2", "2"], ["append", first.rows.sha256[:8], "b"])
    assert any("monday" in line for line in lines)
    assert "\x1b" not in told(console)
    assert next(line for line in lines if "mia" in line).split()[:3] == ["1", "3", "+1"]


def test_machines_get_every_field_of_a_version(world: World, recipe: Recipe) -> None:
    version = hand_in(world, "one").version

    (told_of,) = json.loads(versions.as_json(versions.gather(world, recipe)))

    assert told_of == {**version.model_dump(mode="json"), "num_new": 1, "num_quarantined_here": 2, "releases": []}


def test_a_dataset_without_versions_says_how_to_make_one(world: World, recipe: Recipe) -> None:
    with pytest.raises(NothingToDo, match="ratchet submit FILE"):
        versions.gather(world, recipe)
