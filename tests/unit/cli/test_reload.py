"""`ratchet reload`: what hangs without users is started anew, and whoever has users is left alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from tests.fakes.events import sha
from tests.fakes.release_world import ReleaseWorld, answering

from ratchet.cli.reload import HasUsers, HoldsNothing, reload
from ratchet.clients.way_back import DidNotComeUp
from ratchet.core.errors import NotSetUp
from ratchet.core.rollout import with_canary


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with answering() as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, url: str) -> ReleaseWorld:
    """Release "a" has the users on blue; "b" is on green."""
    return ReleaseWorld(tmp_path, url)


def told(place: ReleaseWorld) -> str:
    console = Console(record=True, width=200)
    reload(place.world, console)
    return console.export_text()


def test_the_colour_without_users_is_started_anew_with_what_it_held(place: ReleaseWorld) -> None:
    before = dict(place.engines.held)
    place.engines.hung.add("green")

    said = told(place)

    assert "green answers as b again" in said
    assert "the users are on blue, as before" in said
    assert place.engines.held == before
    assert place.engines.num_loads == 1
    assert place.engines.problem("green", sha("b")) is None
    assert place.switch.history == []


def test_one_that_does_not_come_up_is_said_to_be_so(place: ReleaseWorld) -> None:
    place.engines.broken.add("green")

    with pytest.raises(DidNotComeUp, match="b did not come up on green"):
        reload(place.world, Console())


def test_an_empty_colour_is_nothing_to_do(place: ReleaseWorld) -> None:
    del place.engines.held["green"]

    with pytest.raises(HoldsNothing, match="green holds nothing; blue has the users"):
        reload(place.world, Console())


def test_in_a_canary_both_colours_have_users_and_nothing_is_stopped(place: ReleaseWorld) -> None:
    assert place.switch.state is not None
    place.switch.state = with_canary(place.switch.state, "b", sha("b"), 10, seq=1)

    with pytest.raises(HasUsers, match="`ratchet rollback` ends it"):
        reload(place.world, Console())

    assert place.engines.num_loads == 0
    assert set(place.engines.held) == {"blue", "green"}


def test_before_anything_is_in_production_it_says_what_to_type(place: ReleaseWorld) -> None:
    place.switch.state = None

    with pytest.raises(NotSetUp, match="`ratchet up`"):
        reload(place.world, Console())
