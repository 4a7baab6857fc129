from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.events import event, model, sha
from tests.fakes.serving_world import TASK, ServingWorld, serving_world

from ratchet.bake.contract import BakeInputs, BakeSettings
from ratchet.bake.run import NoWayBack, run
from ratchet.clients.edge_keys import add_key, own_key
from ratchet.clients.engine import LoadedModel
from ratchet.core.rollout import RouterState, swapped_back, switched_to

SETTINGS = BakeSettings(duration_seconds=0.5, probe_interval_seconds=0.005, min_requests=6, max_latency_ratio=5.0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[ServingWorld]:
    """Release "b" was promoted to green a moment ago."""
    with serving_world(tmp_path) as made:
        for kind in ("approved", "promoting", "promoted"):
            made.ledger.append(lambda events, kind=kind: event(kind, "b"))
        made.engine.held["green"] = LoadedModel(release_id="b", model=model("b"))
        assert made.router.state is not None
        made.router.state = switched_to(made.router.state, "green", "b", sha("b"), seq=2)
        yield made


def inputs(place: ServingWorld, **fields: Any) -> BakeInputs:
    made: dict[str, Any] = {
        "line": "support",
        "release_id": "b",
        "prompts": place.prompts,
        "candidate_report": place.report(),
        "task": TASK,
        "staged_latency_ms": 20.0,
        "settings": SETTINGS,
    }
    return BakeInputs(**{**made, **fields})


def _users_on(place: ServingWorld) -> str:
    assert place.router.state is not None
    return place.router.state.active_release


def _kinds(place: ServingWorld) -> list[str]:
    return [entry.kind for entry in place.ledger.events()]


def test_a_healthy_production_stays_and_the_ledger_says_so(place: ServingWorld) -> None:
    outputs = run(inputs(place), place.world)

    assert (outputs.verdict, outputs.rolled_back, outputs.num_failed) == ("PASS", False, 0)
    assert outputs.num_requests >= SETTINGS.min_requests
    assert _users_on(place) == "b"
    assert place.ledger.events()[-1].kind == "baked"


def test_an_edge_that_asks_for_keys_lets_bake_in_by_ratchets_own(place: ServingWorld) -> None:
    add_key(place.world.settings, "mia")
    place.green.key = own_key(place.world.settings)

    outputs = run(inputs(place), place.world)

    assert (outputs.verdict, outputs.num_failed) == ("PASS", 0)


def test_baking_twice_is_recorded_once(place: ServingWorld) -> None:
    for _ in range(2):
        run(inputs(place), place.world)

    assert _kinds(place).count("baked") == 1


def _failing(place: ServingWorld) -> None:
    place.green.status = 500


def _slow(place: ServingWorld) -> None:
    place.green.delay_seconds = 0.15


def _forgetful(place: ServingWorld) -> None:
    place.green.answers.clear()


def _refusing(place: ServingWorld) -> None:
    place.green.models.clear()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(_failing, "500"), (_slow, "timed answers"), (_forgetful, "golden prompts"), (_refusing, "does not exist")],
)
def test_a_breach_puts_the_old_production_back(place: ServingWorld, spoil: Any, reason: str) -> None:
    spoil(place)

    outputs = run(inputs(place), place.world)

    assert (outputs.verdict, outputs.rolled_back) == ("FAIL", True)
    assert reason in outputs.reason
    assert _users_on(place) == "a"
    last = place.ledger.events()[-1]
    assert (last.kind, last.release_id, last.by, last.colour) == ("rolled_back", "a", "bake", "blue")
    assert reason in last.note
    place.ledger.verify()


def test_after_its_own_roll_back_a_second_attempt_says_the_same(place: ServingWorld) -> None:
    _failing(place)
    run(inputs(place), place.world)

    again = run(inputs(place), place.world)

    assert (again.verdict, again.rolled_back) == ("FAIL", True)
    assert _users_on(place) == "a"
    assert _kinds(place).count("rolled_back") == 1


def test_killed_between_traffic_and_ledger_the_next_attempt_tells_the_ledger(place: ServingWorld) -> None:
    assert place.router.state is not None
    place.router.state = swapped_back(place.router.state)

    outputs = run(inputs(place), place.world)

    assert (outputs.verdict, outputs.rolled_back) == ("FAIL", True)
    assert _kinds(place)[-1] == "rolled_back"


def test_too_few_requests_hold(place: ServingWorld) -> None:
    settings = SETTINGS.model_copy(update={"min_requests": 1000})

    outputs = run(inputs(place, settings=settings), place.world)

    assert (outputs.verdict, outputs.rolled_back) == ("INCONCLUSIVE", False)
    assert _users_on(place) == "b"
    assert _kinds(place)[-1] == "promoted"


def test_a_person_who_rolls_back_meanwhile_has_the_last_word(
    place: ServingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_hand(*_: object) -> list[object]:
        assert place.router.state is not None
        place.router.state = swapped_back(place.router.state)
        place.ledger.append(lambda events: event("rolled_back", "a", by="omar", dataset_sha256=None))
        return []

    monkeypatch.setattr("ratchet.bake.run.watch", by_hand)

    outputs = run(inputs(place), place.world)

    assert (outputs.verdict, outputs.rolled_back) == ("INCONCLUSIVE", False)
    assert "by omar" in outputs.reason
    assert _users_on(place) == "a"


def _away(place: ServingWorld) -> None:
    place.engine.urls.pop("blue")


def _unloaded(place: ServingWorld) -> None:
    place.engine.unload("blue")


def _replaced(place: ServingWorld) -> None:
    place.engine.held["blue"] = LoadedModel(release_id="c", model=model("c"))


@pytest.mark.parametrize("spoil_previous", [_away, _unloaded, _replaced])
def test_users_are_never_moved_to_a_colour_that_cannot_serve_them(place: ServingWorld, spoil_previous: Any) -> None:
    before: RouterState | None = place.router.state
    _failing(place)
    spoil_previous(place)

    with pytest.raises(NoWayBack, match="ratchet rollback"):
        run(inputs(place), place.world)

    assert place.router.state == before
    assert _kinds(place)[-1] == "promoted"


def test_the_old_production_is_back_even_when_the_ledger_cannot_say_so(
    place: ServingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(place)
    made = inputs(place)
    monkeypatch.setattr("ratchet.clients.bucket.LocalBucket.create", _store_away)

    outputs = run(made, place.world)

    assert outputs.rolled_back
    assert _users_on(place) == "a"
    monkeypatch.undo()
    run(made, place.world)
    assert _kinds(place)[-1] == "rolled_back"


def _store_away(*_: object) -> bool:
    raise OSError(5, "Input/output error")
