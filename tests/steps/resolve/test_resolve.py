"""What resolve finds, what it mends, and when it says that there is nothing to do."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.costs import done, rates
from tests.fakes.costs import run as a_run
from tests.fakes.events import model, promotion, sha
from tests.fakes.fuse import Killed
from tests.fakes.records import version
from tests.fakes.release_world import ReleaseWorld
from tests.fakes.release_world import rollback as going_back

from ratchet.core.budget import Budget, OverBudget
from ratchet.core.datasets import DatasetVersion, text_digest
from ratchet.core.errors import NothingToDo, TerminalError
from ratchet.core.rollout import Unexplained
from ratchet.intake.forget import forget
from ratchet.promote import run as promote
from ratchet.resolve import run as resolve
from ratchet.resolve.contract import ResolveInputs, ResolveOutputs
from ratchet.rollback import run as rollback


@pytest.fixture
def place(tmp_path: Path, engines_url: str) -> ReleaseWorld:
    made = ReleaseWorld(tmp_path, engines_url)
    made.world.store.create("bases/tiny.json", model("tiny"))
    return made


def _submit(place: ReleaseWorld, ids: list[str]) -> DatasetVersion:
    lines = "".join(json.dumps({"id": i, "text": f"text {i}", "label": "y"}) + "\n" for i in ids)
    rows = place.world.store.put_bytes(lines.encode())
    added = place.world.datasets("tickets").append(lambda versions: version(rows, num_rows=len(ids)))
    assert added is not None
    return added


def _resolve(place: ReleaseWorld, min_new_examples: int = 1, recipe: str = "recipe", **money: Any) -> ResolveOutputs:
    inputs = ResolveInputs(
        line="support",
        dataset="tickets",
        base="tiny",
        recipe_sha256=sha(recipe),
        min_new_examples=min_new_examples,
        **money,
    )
    return resolve.run(inputs, place.world)


def _promote(place: ReleaseWorld, dataset: DatasetVersion) -> None:
    """Release "b" goes live, tuned on `dataset`."""
    place.say("approved", "b", dataset_sha256=dataset.rows.sha256)
    promote.run(promotion(dataset_sha256=dataset.rows.sha256), place.world)


def test_the_first_release_compares_with_the_untuned_base_and_all_rows_are_new(place: ReleaseWorld) -> None:
    version = _submit(place, ["1", "2", "3"])

    found = _resolve(place)

    assert (found.baseline, found.baseline_release_id, found.baseline_is_bootstrap) == (model("a"), "a", True)
    assert (found.rows, found.num_rows, found.num_new_rows) == (version.rows, 3, 3)
    assert found.base == model("tiny")
    assert found.recipe_sha256 == sha("recipe")
    assert (found.baseline_recipe_sha256, found.baseline_record_sha256) == ("", "")


def test_what_made_production_is_named_by_the_record_that_was_approved(place: ReleaseWorld) -> None:
    _promote(place, _submit(place, ["1"]))
    _submit(place, ["1", "2"])

    found = _resolve(place)

    assert (found.baseline_recipe_sha256, found.baseline_record_sha256) == (sha("recipe"), sha("report b"))


def test_the_same_inputs_are_one_release_however_often_they_are_triggered(place: ReleaseWorld) -> None:
    _submit(place, ["1"])

    names = {_resolve(place).release_id for _ in range(5)}

    assert len(names) == 1
    assert names.pop().startswith("support-")


def test_another_recipe_dataset_or_baseline_is_another_release(place: ReleaseWorld) -> None:
    first = _submit(place, ["1"])
    names = [_resolve(place).release_id, _resolve(place, recipe="other").release_id]
    _submit(place, ["1", "2"])
    names.append(_resolve(place).release_id)
    _promote(place, first)
    names.append(_resolve(place).release_id)

    assert len(set(names)) == 4


def test_new_rows_are_counted_against_what_production_was_tuned_on(place: ReleaseWorld) -> None:
    first = _submit(place, ["1", "2", "3"])
    _promote(place, first)
    _submit(place, ["1", "2", "3", "4"])
    _submit(place, ["3", "4", "5", "1"])

    found = _resolve(place, min_new_examples=2)

    assert (found.num_rows, found.num_new_rows) == (4, 2)
    assert not found.baseline_is_bootstrap


def test_what_production_must_forget_is_worth_a_release_without_a_single_new_row(place: ReleaseWorld) -> None:
    _promote(place, _submit(place, ["1", "2"]))

    forget(place.world, "tickets", frozenset({text_digest("text 1")}), "omar", "request 17")

    found = _resolve(place, min_new_examples=50)
    assert (found.num_rows, found.num_new_rows) == (1, 0)


def test_forgetting_what_production_was_never_tuned_on_is_worth_none(place: ReleaseWorld) -> None:
    _promote(place, _submit(place, ["1"]))
    _submit(place, ["1", "2"])

    forget(place.world, "tickets", frozenset({text_digest("text 2")}), "omar", "request 17")

    with pytest.raises(NothingToDo, match="0 of the 1 rows"):
        _resolve(place)


@pytest.mark.parametrize(("wanted", "enough"), [(2, True), (3, False)])
def test_too_few_new_rows_are_nothing_to_do(place: ReleaseWorld, wanted: int, enough: bool) -> None:
    _promote(place, _submit(place, ["1"]))
    _submit(place, ["1", "2", "3"])

    if enough:
        assert _resolve(place, min_new_examples=wanted).num_new_rows == 2
    else:
        with pytest.raises(NothingToDo, match="2 of the 3 rows of tickets are new to b; the recipe wants at least 3"):
            _resolve(place, min_new_examples=wanted)


def test_the_same_dataset_again_is_nothing_to_do(place: ReleaseWorld) -> None:
    _promote(place, _submit(place, ["1"]))

    with pytest.raises(NothingToDo, match="0 of the 1 rows") as caught:
        _resolve(place)

    assert caught.value.exit_code == 99


def test_after_a_roll_back_rows_are_new_to_the_model_gone_back_to(place: ReleaseWorld) -> None:
    _promote(place, _submit(place, ["1"]))
    rollback.run(going_back(), place.world)

    found = _resolve(place)

    assert (found.baseline_release_id, found.baseline_is_bootstrap, found.num_new_rows) == ("a", True, 1)


def test_no_data_is_nothing_to_do_and_says_how_to_bring_some(place: ReleaseWorld) -> None:
    with pytest.raises(NothingToDo, match="submit data first"):
        _resolve(place)


def test_an_empty_ledger_says_what_to_run(place: ReleaseWorld) -> None:
    for path in (place.bucket.root / "ledger").rglob("*.json"):
        path.unlink()
    place.switch.state = None

    with pytest.raises(TerminalError, match="no production yet: run `ratchet up`"):
        _resolve(place)


def test_an_unknown_base_is_named(place: ReleaseWorld) -> None:
    _submit(place, ["1"])
    (place.bucket.root / "bases/tiny.json").unlink()

    with pytest.raises(TerminalError, match="no base model named 'tiny'"):
        _resolve(place)


# mending


@pytest.mark.parametrize("moment", range(12))
def test_whatever_a_killed_promotion_left_behind_is_mended(place: ReleaseWorld, moment: int) -> None:
    version = _submit(place, ["1"])
    place.say("approved", "b", dataset_sha256=version.rows.sha256)
    place.fuse.set(moment)
    try:
        promote.run(promotion(dataset_sha256=version.rows.sha256), place.world)
    except Killed:
        pass
    finally:
        place.fuse.set(None)
    _submit(place, ["1", "2"])

    found = _resolve(place)

    assert found.baseline_release_id == place.users_on == place.live
    aliases = place.registry.aliases("support")
    assert aliases["production"] == sha(place.users_on)
    place.world.ledger("support").verify()


def test_a_roll_back_that_waits_is_written_before_the_baseline_is_read(place: ReleaseWorld) -> None:
    _promote(place, _submit(place, ["1"]))
    place.bucket.away = True
    rollback.run(going_back(), place.world)
    place.bucket.away = False

    found = _resolve(place)

    assert found.baseline_release_id == "a"
    assert place.kinds[-1] == "rolled_back"


def test_a_registry_that_is_away_blocks_no_release(place: ReleaseWorld) -> None:
    _submit(place, ["1"])
    place.registry.away = True

    assert _resolve(place).num_new_rows == 1


def test_users_on_a_model_nobody_released_stop_the_release(place: ReleaseWorld) -> None:
    _submit(place, ["1"])
    assert place.switch.state is not None
    place.switch.state = place.switch.state.model_copy(update={"releases": {"blue": "x"}, "models": {"blue": sha("x")}})

    with pytest.raises(Unexplained, match="find out who moved traffic"):
        _resolve(place)


def test_before_anything_serves_resolve_still_works(place: ReleaseWorld) -> None:
    _submit(place, ["1"])
    place.switch.state = None

    assert _resolve(place).baseline_release_id == "a"


# money


def _costs(place: ReleaseWorld, release_id: str, seconds: float, **changes: Any) -> None:
    record = a_run(release_id, done("finetune", seconds), num_rows=2, **changes)
    place.world.costs("support").append(lambda _: record)


def test_the_first_release_is_not_foreseen_and_no_budget_stops_it(place: ReleaseWorld) -> None:
    _submit(place, ["1"])

    found = _resolve(place, rates=rates(), budget=Budget(per_release=0.01))

    assert found.forecast.num_releases == 0


def test_a_release_is_foreseen_for_the_rows_that_there_are(place: ReleaseWorld) -> None:
    _costs(place, "b", 100)
    _submit(place, ["1", "2", "3", "4"])

    assert _resolve(place, grows_with_rows=("finetune",)).forecast.seconds == 200


def test_a_release_above_its_budget_does_not_begin(place: ReleaseWorld) -> None:
    _costs(place, "b", 3600)
    _submit(place, ["1"])

    with pytest.raises(
        OverBudget, match=r"10\.00 EUR, from the last release, and the recipe allows 9\.99 EUR"
    ) as caught:
        _resolve(place, rates=rates(), budget=Budget(per_release=9.99))

    assert caught.value.exit_code == 65
    assert _resolve(place, rates=rates(), budget=Budget(per_release=10.0)).num_new_rows == 1


def test_what_this_month_has_cost_counts_for_a_monthly_budget(place: ReleaseWorld) -> None:
    _costs(place, "b", 3600)
    _submit(place, ["1"])
    budget = Budget(per_month=19.99)

    assert _resolve(place, rates=rates(), budget=budget).num_new_rows == 1  # "b" was in another month
    _costs(place, "c", 3600, at=datetime.now(UTC))
    with pytest.raises(OverBudget, match="this month has cost 10"):
        _resolve(place, rates=rates(), budget=budget)


def test_a_person_with_a_reason_starts_it_all_the_same(place: ReleaseWorld) -> None:
    _costs(place, "b", 3600)
    _submit(place, ["1"])

    found = _resolve(place, rates=rates(), budget=Budget(per_release=1.0), over_budget="the audit needs it")

    assert found.forecast.num_releases == 1


def test_too_little_new_data_is_nothing_to_do_whatever_it_would_cost(place: ReleaseWorld) -> None:
    _costs(place, "b", 3600)
    _promote(place, _submit(place, ["1"]))

    with pytest.raises(NothingToDo):
        _resolve(place, rates=rates(), budget=Budget(per_release=0.01))


def test_a_release_that_broke_off_is_not_refused_for_work_that_is_done(place: ReleaseWorld) -> None:
    _costs(place, "b", 3600)
    _submit(place, ["1"])
    begun = _resolve(place).release_id
    _costs(place, begun, 3600)

    assert _resolve(place, rates=rates(), budget=Budget(per_release=1.0)).release_id == begun
