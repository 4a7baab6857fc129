"""What a person is told of money before and after a release."""

from pathlib import Path

import pytest
from rich.console import Console
from tests.fakes.costs import done, run
from tests.fakes.datasets import DATASET, hand_in

from ratchet.cli.costs import reason_to_start, show, tell_forecast
from ratchet.clients.settings import Prices, Settings
from ratchet.clients.world import World
from ratchet.core.costs import CostRecord, Forecast
from ratchet.core.errors import TerminalError
from ratchet.recipes.catalogue import load_recipe

ROOT = Path(__file__).parent.parent.parent.parent
RECIPE = load_recipe("support", ROOT)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=ROOT, state_dir=tmp_path, costs=Prices(currency="EUR", cpu_per_hour=1.0)), tmp_path)


def keep(world: World, record: CostRecord) -> None:
    world.costs("support").append(lambda _: record)


def shown(world: World, num_rows: int = 10) -> str:
    console = Console(record=True, width=160)
    show(world.settings, world, RECIPE, num_rows, console)
    return console.export_text()


def test_the_last_runs_are_told_with_what_was_foreseen(world: World) -> None:
    keep(world, run("support-0", done("gate", 3600)))
    foreseen = Forecast(num_releases=1, tasks=(done("gate", 3600),))
    keep(world, run("support-1", done("gate", 1800), done("finetune", 360), forecast=foreseen, over_budget="audit"))

    text = shown(world, num_rows=1)

    assert "support-0" not in text
    assert "2026-01-05 06:00" in text
    assert " ".join(text.split()).endswith("support-1 36 min 60 min 1.50 EUR (over budget allowed) cpu 0.50, gpu 1.00")


def test_a_run_without_prices_tells_times_alone(world: World) -> None:
    keep(world, run("support-0", done("gate", 3600), rates=None))

    assert "support-0" in shown(world)
    assert "EUR" not in shown(world)


def test_before_the_first_run_there_is_nothing_to_tell(world: World) -> None:
    assert "no run has ended yet" in shown(world)


def test_the_forecast_is_one_line_about_the_newest_version(world: World) -> None:
    console = Console(record=True, width=160)
    hand_in(world, "one", "two", "three", "four")
    keep(world, run("support-0", done("finetune", 60), done("gate", 60), num_rows=2))

    tell_forecast(world, RECIPE.model_copy(update={"dataset": DATASET}), console)

    assert console.export_text() == "forecast: about 3 min of steps, about 0.05 EUR, from the last release\n"


@pytest.mark.parametrize(
    ("over_budget", "reason", "kept"), [(False, "", ""), (True, " the audit needs it ", "the audit needs it")]
)
def test_a_reason_is_kept_where_one_is_needed(over_budget: bool, reason: str, kept: str) -> None:
    assert reason_to_start(over_budget, reason) == kept


@pytest.mark.parametrize(("over_budget", "words"), [(True, "needs a reason"), (False, "give --over-budget too")])
def test_flag_and_reason_belong_together(over_budget: bool, words: str) -> None:
    with pytest.raises(TerminalError, match=words):
        reason_to_start(over_budget, " " if over_budget else "audit")
