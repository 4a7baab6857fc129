"""An upload that the base model can be asked about is compared by it; one that it cannot is added all the same."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.fakes.datasets import hand_in, looked_at

from ratchet.cli import show, submit
from ratchet.clients.settings import Settings, StoreSettings
from ratchet.clients.world import World
from ratchet.core.drift import Distance
from ratchet.core.errors import NothingToDo, RatchetError, TerminalError, TransientError
from ratchet.core.refs import FolderRef, blob_uri
from ratchet.drift.contract import DriftInputs, DriftOutputs
from ratchet.intake.versions import Refused
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe
from ratchet.validate.contract import Changes, Side

ROOT = Path(__file__).parents[3]
BASE = FolderRef(uri=blob_uri("ba" * 32), sha256="ba" * 32, bytes=1)
FOUND = Distance(distance=0.02, limit=0.01)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("support", ROOT)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[DriftInputs]:
    """What the step was asked, which is not run here."""
    inputs: list[DriftInputs] = []

    def do_step(settings: Settings, config: Path, name: str, given: DriftInputs, on_line: Any) -> DriftOutputs:
        inputs.append(given)
        return DriftOutputs(num_reference=60, num_current=60, shifts=(), embedding=FOUND)

    monkeypatch.setattr(submit, "do_step", do_step)
    return inputs


def compared(
    world: World, recipe: Recipe, settings: Settings | None = None, base: FolderRef | None = BASE
) -> Distance | None:
    previous = hand_in(world, "one").version.rows
    inputs, checked = looked_at(world, ["two"], previous=previous)
    return submit._drift(settings or world.settings, Path("ratchet.toml"), recipe, base, inputs, checked, print)


def test_who_sends_what_is_refused_gets_a_receipt_and_the_rejected_rows_too(
    world: World, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "few.csv").write_text("text,label\none,refund\n")
    _, checked = looked_at(world, ["one"], "few.csv", status="REFUSED")
    monkeypatch.setattr(submit, "do_step", lambda *_: checked)
    recipe = recipe.model_copy(update={"tasks": ()})
    console = Console(file=io.StringIO(), width=100, highlight=False)

    with pytest.raises(Refused, match="it has one label"):
        submit.submit(world.settings, tmp_path, recipe, submit.Upload(tmp_path / "few.csv"), console)

    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "few.csv: read 3 rows, accepted 1" in shown
    assert "every rejected row with its reasons: " in shown
    (receipt,) = (world.settings.state / "receipts").glob("*.json")
    told = json.loads(receipt.read_bytes())
    assert (told["status"], told["version"]) == ("REFUSED", None)
    assert told["sentence"] == "few.csv is refused: it has one label; the current version is unchanged"
    assert world.datasets(recipe.dataset).records() == []


def test_the_accepted_rows_are_compared_with_the_version_before(
    world: World, recipe: Recipe, asked: list[DriftInputs]
) -> None:
    assert compared(world, recipe) == FOUND
    assert [(given.base, given.prompt) for given in asked] == [(BASE, recipe.prompt)]
    assert asked[0].reference != asked[0].current


def test_where_the_base_is_not_and_where_the_recipe_does_not_want_it_nothing_is_run(
    world: World, recipe: Recipe, asked: list[DriftInputs]
) -> None:
    cluster = Settings(
        root=world.settings.root,
        runtime="kubernetes",
        store=StoreSettings(kind="s3", bucket="b"),
        tracking_uri="http://mlflow",
    )

    assert compared(world, recipe.model_copy(update={"drift": None})) is None
    assert compared(world, recipe, base=None) is None
    assert compared(world, recipe, cluster) is None
    assert asked == []


@pytest.mark.parametrize("error", [NothingToDo("few"), TerminalError("NaN"), TransientError("away")], ids=repr)
def test_what_goes_wrong_holds_up_no_upload(
    world: World, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, error: RatchetError
) -> None:
    def failing(*_: Any) -> None:
        raise error

    monkeypatch.setattr(submit, "do_step", failing)

    assert compared(world, recipe) is None


@pytest.mark.parametrize(("distance", "told"), [(0.02, True), (0.01, False)])
def test_the_receipt_on_the_terminal_tells_drift_of_what_the_texts_are_about(distance: float, told: bool) -> None:
    side = Side(num_rows=60, num_repeated=0, num_labels=2, median_length=20, p95_length=40)
    none = {"num_new_labels": 0, "new_labels": (), "num_absent_labels": 0, "absent_labels": (), "shifts": ()}
    console = Console(file=io.StringIO(), width=120)

    show.compared(
        Changes(upload=side, version=side, num_new_rows=60, **none), Distance(distance=distance, limit=0.01), console
    )

    line = "drift of what the texts are about (distance 0.020, told above 0.010)"
    assert (line in console.file.getvalue()) is told  # type: ignore[attr-defined]
