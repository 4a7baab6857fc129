"""The way back as it is lived: everything else down, engines gone, the process killed, the button pressed twice."""

from pathlib import Path

import pytest
from tests.fakes.events import evidence, model, parts, promotion, sha
from tests.fakes.fuse import Killed
from tests.fakes.release_world import ReleaseWorld, loaded
from tests.fakes.release_world import rollback as going_back

from ratchet.clients.bucket import StoreAway
from ratchet.clients.engine import LoadedModel, to_load
from ratchet.clients.way_back import NothingPrevious
from ratchet.core.errors import TerminalError, TransientError
from ratchet.core.releases import LedgerEvent
from ratchet.core.serving import ServingSettings
from ratchet.promote import run as promote
from ratchet.rollback import run as rollback
from ratchet.rollback.contract import RollbackInputs, RollbackOutputs


@pytest.fixture
def place(tmp_path: Path, engines_url: str) -> ReleaseWorld:
    """Release "b" is live on green; "a" waits on blue."""
    made = ReleaseWorld(tmp_path, engines_url)
    promote.run(promotion(), made.world)
    made.switch.history.clear()
    return made


def _roll_back(place: ReleaseWorld, inputs: RollbackInputs | None = None) -> RollbackOutputs:
    return rollback.run(inputs or going_back(), place.world)


def _events(place: ReleaseWorld) -> list[LedgerEvent]:
    return place.world.ledger("support").events()


def _release_c(place: ReleaseWorld) -> None:
    """Release "c" is loaded over "a" on blue and goes live; "b" waits on green."""
    place.engines.held["blue"] = loaded("c")
    place.say("approved", "c", evidence=evidence("c", baseline="b"))
    promote.run(promotion("c", baseline="b"), place.world)
    place.switch.history.clear()


def _release_c_as_adapter(place: ReleaseWorld) -> LoadedModel:
    """As `_release_c`, as an adapter on a base; returns what blue holds then."""
    on_base = to_load("c", model("c"), parts("c"), ServingSettings())
    place.engines.held["blue"] = on_base
    bound = evidence("c", baseline="b", served_as=parts("c"))
    place.say("approved", "c", evidence=bound, parts=parts("c"))
    promote.run(promotion("c", baseline="b", evidence=bound, parts=parts("c")), place.world)
    place.switch.history.clear()
    return on_base


def test_the_previous_model_has_the_users_at_once_and_the_ledger_says_who_and_why(place: ReleaseWorld) -> None:
    outputs = _roll_back(place)

    assert (outputs.active, outputs.release_id, outputs.cold_start, outputs.recorded) == ("blue", "a", False, True)
    assert outputs.switch_seconds < 1
    assert place.users_on == place.live == "a"
    last = _events(place)[-1]
    assert (last.kind, last.by, last.note, last.colour) == ("rolled_back", "omar", "slow answers", "blue")
    assert place.engines.num_loads == 0
    assert len(place.world.ledger("support").verify()) == 5


def test_the_same_request_again_changes_nothing(place: ReleaseWorld) -> None:
    first = _roll_back(place)
    second = _roll_back(place)

    assert second == first.model_copy(update={"switch_seconds": 0.0})
    assert len(place.switch.history) == 1
    assert place.kinds.count("rolled_back") == 1


def test_another_persons_second_press_does_not_lead_forward(place: ReleaseWorld) -> None:
    _roll_back(place)

    with pytest.raises(NothingPrevious, match="nothing is previous to a on blue: it was itself gone back to"):
        _roll_back(place, going_back(by="noor"))

    assert place.users_on == "a"


def test_naming_the_release_that_is_live_changes_nothing(place: ReleaseWorld) -> None:
    outputs = _roll_back(place, going_back(to_release="b"))

    assert (outputs.release_id, outputs.switch_seconds) == ("b", 0.0)
    assert place.switch.history == []


def test_from_the_first_release_there_is_no_way_back(tmp_path: Path, engines_url: str) -> None:
    place = ReleaseWorld(tmp_path, engines_url)

    with pytest.raises(NothingPrevious, match="it is the first release"):
        _roll_back(place)

    assert place.users_on == "a"


# everything else down


def test_with_store_and_registry_down_users_go_back_and_the_event_waits(place: ReleaseWorld) -> None:
    place.bucket.away = place.registry.away = True

    outputs = _roll_back(place)

    assert (place.users_on, outputs.recorded) == ("a", False)
    place.bucket.away = False
    assert place.live == "b"


def test_a_waiting_event_is_written_by_the_next_command_with_its_own_author(place: ReleaseWorld) -> None:
    place.bucket.away = True
    _roll_back(place)
    place.bucket.away = False

    again = _roll_back(place)

    last = _events(place)[-1]
    assert again.recorded
    assert (last.kind, last.by, last.note) == ("rolled_back", "omar", "slow answers")
    assert place.live == "a"
    assert place.kinds.count("rolled_back") == 1
    assert list((place.world.settings.state / "waiting").rglob("*.json")) == []


def test_a_roll_back_that_is_pressed_again_while_the_store_is_away_is_told_once(place: ReleaseWorld) -> None:
    place.bucket.away = True
    _roll_back(place)
    again = _roll_back(place, going_back(by="noor", to_release="a"))
    place.bucket.away = False

    final = _roll_back(place)

    assert (again.recorded, final.recorded) == (False, True)
    assert place.kinds.count("rolled_back") == 1
    assert place.users_on == place.live == "a"


def test_a_broken_ledger_does_not_hold_users_on_a_bad_model(place: ReleaseWorld) -> None:
    first = place.bucket.root / "ledger/support/00000000.json"
    first.chmod(0o644)
    first.write_bytes(first.read_bytes().replace(b'"mia"', b'"eve"'))

    outputs = _roll_back(place)

    assert (place.users_on, outputs.recorded) == ("a", False)


@pytest.mark.parametrize("moment", range(4))
def test_killed_at_any_moment_and_run_again_it_finishes(place: ReleaseWorld, moment: int) -> None:
    place.fuse.set(moment)
    try:
        _roll_back(place)
    except Killed:
        pass
    finally:
        place.fuse.set(None)

    outputs = _roll_back(place)

    assert (outputs.release_id, outputs.recorded) == ("a", True)
    assert place.users_on == place.live == "a"
    assert place.kinds.count("rolled_back") == 1
    place.world.ledger("support").verify()


# cold starts


def test_a_previous_engine_that_died_is_started_before_users_go_there(place: ReleaseWorld) -> None:
    place.engines.dead.add("blue")

    outputs = _roll_back(place)

    assert outputs.cold_start
    assert place.engines.num_loads == 1
    assert place.users_on == place.live == "a"


def test_a_candidate_on_preview_gives_way_to_the_release_gone_back_to(place: ReleaseWorld) -> None:
    place.engines.held["blue"] = loaded("candidate")

    outputs = _roll_back(place)

    assert (outputs.cold_start, outputs.active, outputs.release_id) == (True, "blue", "a")
    assert place.engines.held["blue"] == loaded("a")
    assert place.users_on == place.live == "a"


def test_an_older_release_is_loaded_from_the_ledger_by_name(place: ReleaseWorld) -> None:
    _release_c(place)

    outputs = _roll_back(place, going_back(to_release="a"))

    assert (outputs.cold_start, outputs.active, outputs.release_id) == (True, "green", "a")
    assert place.users_on == place.live == "a"
    assert place.switch.state is not None
    assert place.switch.state.active_model == sha("a")


def test_a_release_that_was_never_in_production_cannot_be_gone_back_to(place: ReleaseWorld) -> None:
    with pytest.raises(NothingPrevious, match="zzz was never in production; expected one of: a"):
        _roll_back(place, going_back(to_release="zzz"))

    assert place.users_on == "b"


def test_when_the_old_model_does_not_come_up_users_stay_where_they_are(place: ReleaseWorld) -> None:
    place.engines.broken.add("blue")

    with pytest.raises(TransientError, match="a did not come up on blue: the process ended; users stay"):
        _roll_back(place)

    assert place.users_on == place.live == "b"
    assert place.switch.history == []


@pytest.mark.parametrize("moment", range(6))
def test_a_cold_start_killed_at_any_moment_finishes_when_run_again(place: ReleaseWorld, moment: int) -> None:
    _release_c(place)
    inputs = going_back(to_release="a")
    place.fuse.set(moment)
    try:
        _roll_back(place, inputs)
    except Killed:
        pass
    finally:
        place.fuse.set(None)

    _roll_back(place, inputs)

    assert place.users_on == place.live == "a"
    assert place.kinds.count("rolled_back") == 1
    place.world.ledger("support").verify()


def test_with_the_store_down_a_release_that_is_not_loaded_is_out_of_reach_and_said_so(place: ReleaseWorld) -> None:
    place.engines.held["blue"] = loaded("candidate")
    place.bucket.away = True

    with pytest.raises(StoreAway, match="the store is away"):
        _roll_back(place)

    assert place.users_on == "b"


def test_before_the_platform_ever_ran_it_says_what_to_do(place: ReleaseWorld) -> None:
    place.switch.state = None

    with pytest.raises(TerminalError, match="ratchet up"):
        _roll_back(place)


# from lane to lane


def test_from_an_adapter_users_go_back_to_the_merged_model_at_once(place: ReleaseWorld) -> None:
    _release_c_as_adapter(place)

    outputs = _roll_back(place)

    assert (outputs.release_id, outputs.cold_start, place.users_on, place.live) == ("b", False, "b", "b")
    assert len(place.world.ledger("support").verify()) == 8


def test_what_is_no_longer_loaded_starts_cold_in_its_own_lane(place: ReleaseWorld) -> None:
    """With the router's state and the ledger alone: the live release is of the other lane each time."""
    on_base = _release_c_as_adapter(place)

    del place.engines.held["green"]
    to_merged = _roll_back(place)
    assert (to_merged.release_id, to_merged.cold_start) == ("b", True)
    assert place.engines.held["green"] == loaded("b")

    del place.engines.held["blue"]
    to_adapter = _roll_back(place, going_back(to_release="c"))
    assert (to_adapter.release_id, to_adapter.cold_start) == ("c", True)
    assert place.engines.held["blue"] == on_base
    assert place.live == "c"
