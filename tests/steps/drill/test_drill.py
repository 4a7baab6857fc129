"""A drill does all that a roll-back does, and the users notice nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.events import event, evidence, model, sha
from tests.fakes.openai import Served
from tests.fakes.serving_world import ANSWERS, TASK, ServingWorld, serving_world

from ratchet.clients import way_back
from ratchet.clients.engine import LoadedModel
from ratchet.clients.openai import EngineAway
from ratchet.clients.router import MovedMeanwhile
from ratchet.clients.way_back import DidNotComeUp
from ratchet.core.errors import NothingToDo
from ratchet.core.rollout import RouterState, swapped_back, switched_to
from ratchet.drill.contract import DrillInputs
from ratchet.drill.decide import EdgeAstray, NoWayBack, PreviewBusy, WayBackBroken
from ratchet.drill.run import run


@pytest.fixture
def place(tmp_path: Path) -> Iterator[ServingWorld]:
    """Release "c" is live on blue; "b", which was approved on its evaluation, waits on green."""
    with serving_world(tmp_path) as made:
        record = {"evidence": {"prompts": made.prompts.model_dump(), "candidate_report": made.report("b").model_dump()}}
        approved_on = made.world.store.put_bytes(json.dumps(record).encode()).sha256
        made.engine.held["green"] = loaded("b")
        _release(made, "b", baseline="a", report_sha256=approved_on)
        _release(made, "c", baseline="b", report_sha256=sha("report c"))
        made.engine.held["blue"] = loaded("c")
        made.blue.models = {"support", "c", sha("c")}
        yield made


def _release(place: ServingWorld, release: str, baseline: str, report_sha256: str) -> None:
    bound = evidence(release, baseline).model_copy(update={"report_sha256": report_sha256})
    for kind in ("approved", "promoting", "promoted"):
        _say(place, kind, release, evidence=bound)
    assert place.router.state is not None
    colour = "green" if place.router.state.active == "blue" else "blue"
    place.router.state = switched_to(place.router.state, colour, release, sha(release), seq=2)


def _say(place: ServingWorld, kind: Any, release: str, **fields: Any) -> None:
    place.ledger.append(lambda events: event(kind, release, **fields))


def loaded(release: str) -> LoadedModel:
    return LoadedModel(release_id=release, model=model(release))


def inputs() -> DrillInputs:
    return DrillInputs(line="support", task=TASK, num_golden_prompts=12, max_answer_tokens=48, min_golden_agreement=0.9)


def _drill(place: ServingWorld) -> Any:
    """What came out, after a look that the users were not moved and the ledger was told nothing."""
    state, num_events = place.router.state, len(place.ledger.events())
    try:
        return run(inputs(), place.world)
    finally:
        assert place.router.state == state
        assert len(place.ledger.events()) == num_events


def test_a_way_back_that_works_is_recorded_with_its_seconds(place: ServingWorld) -> None:
    outputs = _drill(place)

    assert (outputs.release_id, outputs.colour, outputs.cold_start, outputs.seq) == ("b", "green", False, 0)
    assert (outputs.num_golden, outputs.num_agreed) == (12, 12)
    assert 0 <= outputs.switch_seconds < 1
    assert 0 < outputs.ready_seconds < 5
    (kept,) = place.world.drills("support").records()
    assert (kept.release_id, kept.model_sha256, kept.switch_seconds) == ("b", sha("b"), outputs.switch_seconds)
    assert (place.engine.num_starts, place.engine.unloaded) == (0, [])


def test_each_drill_is_a_record_of_its_own(place: ServingWorld) -> None:
    assert [_drill(place).seq for _ in range(2)] == [0, 1]


def test_the_router_is_written_as_it_is(place: ServingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[RouterState, RouterState | None]] = []
    monkeypatch.setattr(place.router, "write", lambda state, instead_of: written.append((state, instead_of)))

    _drill(place)

    assert written == [(place.router.state, place.router.state)]


@pytest.mark.parametrize("colour_is", ["empty", "dead"])
def test_a_way_back_that_is_not_loaded_is_loaded_and_stays(place: ServingWorld, colour_is: str) -> None:
    urls = dict(place.engine.urls)
    if colour_is == "empty":
        del place.engine.held["green"]
    else:
        place.engine.died["green"] = "out of memory"
    del place.engine.urls["green"]
    load = place.engine.load

    def loads(colour: Any, release: LoadedModel) -> None:
        load(colour, release)
        place.engine.urls.update(urls)

    place.engine.load = loads  # type: ignore[method-assign]

    outputs = _drill(place)

    assert outputs.cold_start
    assert place.engine.num_starts == 1
    assert place.engine.held["green"] == loaded("b")


def test_the_untuned_base_has_no_golden_prompts_but_must_answer(place: ServingWorld) -> None:
    _release(place, "b", baseline="c", report_sha256=sha("report b"))
    _say(place, "rolled_back", "a")
    _release(place, "d", baseline="a", report_sha256=sha("report d"))
    assert place.router.state is not None
    place.router.state = place.router.state.model_copy(
        update={
            "active": "blue",
            "previous": "green",
            "weights": {"blue": 100, "green": 0},
            "releases": {"blue": "d", "green": "a"},
            "models": {"blue": sha("d"), "green": sha("a")},
        }
    )
    place.engine.held["green"] = loaded("a")
    place.green.models = {"support", "a", sha("a")}

    outputs = _drill(place)

    assert (outputs.release_id, outputs.num_golden) == ("a", 0)
    assert len(place.world.drills("support").records()) == 1


# nothing to rehearse


def _nothing_in_production(place: ServingWorld) -> None:
    place.router.state = None


def _rolled_back(place: ServingWorld) -> None:
    assert place.router.state is not None
    place.router.state = swapped_back(place.router.state)
    _say(place, "rolled_back", "b")


def _candidate_staged(place: ServingWorld) -> None:
    place.engine.held["green"] = loaded("candidate")
    place.green.models = {"support", "candidate", sha("candidate")}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (_nothing_in_production, NoWayBack, "ratchet up"),
        (_rolled_back, NoWayBack, "nothing is previous to b on green"),
        (_candidate_staged, PreviewBusy, "green holds candidate"),
    ],
)
def test_where_there_is_nothing_to_rehearse_it_is_skipped_and_disturbs_nothing(
    place: ServingWorld, change: Any, error: type[NothingToDo], words: str
) -> None:
    change(place)
    held = dict(place.engine.held)

    with pytest.raises(error, match=words):
        _drill(place)

    assert (place.engine.held, place.engine.num_starts, place.engine.unloaded) == (held, 0, [])
    assert place.green.num_asked == 0
    assert place.world.drills("support").records() == []


def test_a_candidate_that_is_staged_meanwhile_ends_the_drill_without_a_failure(place: ServingWorld) -> None:
    class Replaced(Served):
        """A release stages its candidate while the third golden prompt is asked."""

        def reply(self, path: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            if self.num_asked == 3:
                _candidate_staged(place)
                self.models = place.green.models
            return super().reply(path, asked)

    replaced = Replaced(models=place.green.models, answers=dict(ANSWERS))
    place.green.reply = replaced.reply  # type: ignore[method-assign]

    with pytest.raises(PreviewBusy, match="green holds candidate"):
        _drill(place)

    assert place.engine.held["green"] == loaded("candidate")
    assert place.engine.num_starts == 0


# a way back that does not work


def test_other_answers_than_approved_fail_the_drill(place: ServingWorld) -> None:
    for number in range(2):
        place.green.answers[f"Label: {number}"] = "another_label"

    with pytest.raises(WayBackBroken, match="b on green would not do: 10 of 12 golden prompts"):
        _drill(place)

    assert place.world.drills("support").records() == []


def test_a_release_that_does_not_come_up_fails_the_drill(place: ServingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_back, "READY_TIMEOUT_SECONDS", 0.0)
    place.engine.urls.pop("green")

    with pytest.raises(DidNotComeUp, match="b did not come up on green"):
        _drill(place)

    assert place.world.drills("support").records() == []


def test_broken_numbers_fail_the_drill(place: ServingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_back, "READY_TIMEOUT_SECONDS", 0.0)
    place.green.has_nan = True

    with pytest.raises(DidNotComeUp, match="finite numbers"):
        _drill(place)


def test_a_router_that_moved_meanwhile_is_left_alone(place: ServingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(state: RouterState, instead_of: RouterState | None) -> None:
        raise MovedMeanwhile("somebody else wrote")

    monkeypatch.setattr(place.router, "write", moved)

    with pytest.raises(MovedMeanwhile):
        _drill(place)

    assert place.world.drills("support").records() == []


def test_an_edge_that_is_down_fails_the_drill(place: ServingWorld) -> None:
    place.router.base_url = "http://127.0.0.1:9"

    with pytest.raises(EngineAway):
        _drill(place)

    assert place.world.drills("support").records() == []


def test_an_edge_that_does_not_follow_the_router_fails_the_drill(place: ServingWorld) -> None:
    place.green.edge("green", "b")
    place.router.base_url = place.engine.url("green")

    with pytest.raises(EdgeAstray, match="users are answered by b, expected c"):
        _drill(place)
