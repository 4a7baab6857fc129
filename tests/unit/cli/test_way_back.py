"""`ratchet rollback --dry-run`: it says what would happen, and nothing happens."""

from pathlib import Path

import pytest
from rich.console import Console
from tests.fakes.events import evidence, promotion, sha
from tests.fakes.release_world import ReleaseWorld, loaded
from tests.fakes.release_world import rollback as going_back

from ratchet.cli.way_back import dry_run
from ratchet.clients.bucket import StoreAway
from ratchet.clients.way_back import NothingPrevious
from ratchet.core.errors import TerminalError
from ratchet.core.rollout import switched_to
from ratchet.rollback.contract import RollbackInputs


@pytest.fixture
def place(tmp_path: Path, engines_url: str) -> ReleaseWorld:
    """Release "b" is live on green; "a" waits on blue. MLflow is down, and there is no Airflow."""
    made = ReleaseWorld(tmp_path, engines_url)
    for kind in ("promoting", "promoted"):
        made.say(kind, "b", evidence=promotion().evidence)
    assert made.switch.state is not None
    made.switch.state = switched_to(made.switch.state, "green", "b", sha("b"), seq=2)
    made.registry.away = True
    return made


def _told(place: ReleaseWorld, inputs: RollbackInputs | None = None) -> str:
    """What it printed, after a look that nothing was changed."""
    before = place.switch.state, dict(place.engines.held), place.engines.num_loads
    console = Console(record=True, width=100)
    try:
        dry_run(place.world, inputs or going_back(), console)
    finally:
        assert (place.switch.state, dict(place.engines.held), place.engines.num_loads) == before
        assert place.switch.history == []
        assert list((place.world.settings.state / "waiting").rglob("*")) == []
    return console.export_text()


def test_a_warm_switch_is_told_with_its_colours_and_its_event(place: ReleaseWorld) -> None:
    told = _told(place)

    assert f"from    b (model {sha('b')[:12]}), on green" in told
    assert f"to      a (model {sha('a')[:12]}), on blue" in told
    assert "warm switch" in told
    assert "event 4: rolled_back to a by omar: slow answers" in told
    assert "nothing was changed" in told
    assert place.kinds[-1] == "promoted"


def _died(place: ReleaseWorld) -> None:
    place.engines.dead.add("blue")


def _emptied(place: ReleaseWorld) -> None:
    del place.engines.held["blue"]


def _staged_over(place: ReleaseWorld) -> None:
    place.engines.held["blue"] = loaded("candidate")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(_died, "does not answer"), (_emptied, "blue is empty"), (_staged_over, "blue holds candidate")],
)
def test_a_cold_start_is_told_with_its_reason(place: ReleaseWorld, spoil: object, why: str) -> None:
    spoil(place)  # type: ignore[operator]

    told = " ".join(_told(place).split())

    assert "cold start, which takes minutes" in told
    assert why in told


def test_a_named_release_is_looked_up_in_the_ledger(place: ReleaseWorld) -> None:
    place.say("approved", "c", evidence=evidence("c", baseline="b"))
    for kind in ("promoting", "promoted"):
        place.say(kind, "c", evidence=evidence("c", baseline="b"))
    assert place.switch.state is not None
    place.engines.held["blue"] = loaded("c")
    place.switch.state = switched_to(place.switch.state, "blue", "c", sha("c"), seq=5)

    told = _told(place, going_back(to_release="a"))

    assert f"to      a (model {sha('a')[:12]}), on green" in told
    assert "green holds b" in told


def test_with_the_store_down_it_says_that_the_event_would_wait(place: ReleaseWorld) -> None:
    place.bucket.away = True

    assert "the event would wait" in _told(place)


def test_naming_the_release_that_is_live_would_move_nothing(place: ReleaseWorld) -> None:
    told = _told(place, going_back(to_release="b"))

    assert "the users are there already" in told
    assert "nothing would be written" in told


@pytest.mark.parametrize(
    ("inputs", "error", "words"),
    [
        (going_back(to_release="zzz"), NothingPrevious, "zzz was never in production; expected one of: a"),
        (going_back(), TerminalError, "ratchet up"),
    ],
)
def test_it_ends_as_the_roll_back_would(
    place: ReleaseWorld, inputs: RollbackInputs, error: type[Exception], words: str
) -> None:
    if not inputs.to_release:
        place.switch.state = None

    with pytest.raises(error, match=words):
        _told(place, inputs)


def test_with_the_store_down_a_release_that_is_not_loaded_is_out_of_reach(place: ReleaseWorld) -> None:
    _emptied(place)
    place.bucket.away = True

    with pytest.raises(StoreAway):
        _told(place)
