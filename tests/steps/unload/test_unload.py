from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.events import model, sha
from tests.fakes.serving_world import ServingWorld, serving_world

from ratchet.clients.engine import LoadedModel
from ratchet.core.rollout import switched_to
from ratchet.unload.contract import UnloadInputs
from ratchet.unload.run import run

CANDIDATE = UnloadInputs(line="support", release_id="b", model=model("b"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[ServingWorld]:
    with serving_world(tmp_path) as made:
        made.engine.held["green"] = LoadedModel(release_id="b", model=model("b"))
        yield made


def test_a_candidate_that_is_not_released_leaves_its_colour(place: ServingWorld) -> None:
    outputs = run(CANDIDATE, place.world)

    assert outputs.unloaded
    assert place.engine.loaded("green") is None
    assert place.engine.loaded("blue") is not None


def test_a_second_unload_does_nothing_and_says_why(place: ServingWorld) -> None:
    run(CANDIDATE, place.world)
    again = run(CANDIDATE, place.world)

    assert not again.unloaded
    assert again.reason == "b is on no colour: blue holds a"


def test_a_candidate_that_was_promoted_keeps_its_users(place: ServingWorld) -> None:
    assert place.router.state is not None
    place.router.state = switched_to(place.router.state, "green", "b", sha("b"), seq=3)

    outputs = run(CANDIDATE, place.world)

    assert not outputs.unloaded
    assert place.engine.loaded("green") is not None
