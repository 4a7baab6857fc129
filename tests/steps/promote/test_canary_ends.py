"""People, other runs and outages come between: a canary ends once, and users are back."""

import itertools

import pytest
from tests.fakes.events import evidence, promotion, sha
from tests.fakes.faults import Call, only
from tests.fakes.fuse import Killed
from tests.fakes.release_world import ReleaseWorld, loaded
from tests.fakes.release_world import rollback as going_back
from tests.steps.promote.canaries import MOMENTS, assert_users_are_back, die_at, promoted

from ratchet.clients.router import MovedMeanwhile
from ratchet.clients.settle import author, end_canary
from ratchet.core.rollout import with_canary
from ratchet.rollback import run as rollback
from ratchet.unload.contract import UnloadInputs
from ratchet.unload.run import run as unload


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_end_of_a_killed_run_takes_its_canary_along(place: ReleaseWorld, moment: int) -> None:
    die_at(place, moment)
    had_moved = place.users_on == "b"

    asked = promotion()
    outputs = unload(UnloadInputs(line="support", release_id="b", model=asked.model), place.world)

    assert outputs.unloaded is not had_moved
    if not had_moved:
        assert_users_are_back(place)


def test_a_person_who_ends_the_canary_is_not_overruled(place: ReleaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = itertools.count()
    read = place.switch.read

    def interrupted() -> object:
        state = read()
        if state and state.canary and next(reads) == 2:
            end_canary(place.world, "support", state, author("omar", "complaints"))
        return read()

    monkeypatch.setattr(place.switch, "read", interrupted)
    with pytest.raises(MovedMeanwhile):
        promoted(place)

    outputs = promoted(place)  # the retry that Airflow makes

    assert (outputs.verdict, outputs.reason) == ("FAIL", "given up by omar: complaints")
    assert_users_are_back(place)


def test_a_canary_ends_while_the_store_is_away_and_the_ledger_is_told_later(place: ReleaseWorld) -> None:
    assert die_at(place, 3)  # after the first share
    state = place.switch.state
    assert state is not None
    place.bucket.away = True
    end_canary(place.world, "support", state, author("omar", "complaints"))
    place.bucket.away = False

    outputs = promoted(place)

    assert outputs.reason == "given up by omar: complaints"
    assert place.kinds[-1] == "aborted"
    assert_users_are_back(place)


def test_a_roll_back_in_the_canary_ends_it_and_pressed_twice_goes_no_further(place: ReleaseWorld) -> None:
    die_at(place, 3)  # after the first share

    for _ in range(2):
        outputs = rollback.run(going_back(), place.world)
        assert (outputs.release_id, outputs.active, outputs.recorded) == ("a", "blue", True)

    assert place.kinds == ["bootstrap", "approved", "promoting", "aborted"]
    assert promoted(place).reason == "given up by omar: slow answers"
    assert_users_are_back(place)


def _canary_of_c(place: ReleaseWorld) -> None:
    """Release "b" is live, after "a"; "c" has a share of the users."""
    promoted(place)
    place.engines.held["blue"] = loaded("c")
    place.say("approved", "c", evidence=evidence("c", baseline="b"))
    place.say("promoting", "c")
    before = place.switch.state
    assert before is not None
    place.switch.state = with_canary(before, "c", sha("c"), 10, seq=len(place.kinds) - 1)


@pytest.mark.parametrize("moment", range(4))
def test_a_roll_back_that_died_while_it_ended_the_canary_goes_no_further_when_pressed_again(
    place: ReleaseWorld, moment: int
) -> None:
    _canary_of_c(place)
    place.fuse.set(moment)
    with pytest.raises(Killed):
        rollback.run(going_back(), place.world)
    place.fuse.set(None)

    outputs = rollback.run(going_back(), place.world)

    assert (outputs.release_id, outputs.recorded) == ("b", True)
    assert place.users_on == place.live == "b"
    last = place.world.ledger("support").events()[-1]
    assert (last.kind, last.release_id, last.by) == ("aborted", "c", "omar")


def test_an_engine_that_does_not_answer_keeps_no_canary_alive(place: ReleaseWorld) -> None:
    _canary_of_c(place)
    place.faults.follow(only(Call("engine", "loaded", 0), "before"))

    outputs = rollback.run(going_back(), place.world)

    assert (outputs.release_id, outputs.recorded) == ("b", True)
    assert place.kinds[-1] == "aborted"


def test_a_roll_back_to_a_release_ends_the_canary_first(place: ReleaseWorld) -> None:
    _canary_of_c(place)

    outputs = rollback.run(going_back(to_release="a"), place.world)

    assert (outputs.release_id, outputs.active, outputs.cold_start) == ("a", "blue", True)
    assert place.kinds[-2:] == ["aborted", "rolled_back"]
    assert place.users_on == place.live == "a"


def test_a_run_that_was_given_up_does_not_end_the_canary_of_another(bad: ReleaseWorld) -> None:
    promoted(bad)
    before = bad.switch.state
    assert before is not None
    of_another = with_canary(before, "c", sha("c"), 10, seq=2)
    bad.switch.state = of_another

    assert promoted(bad).verdict == "FAIL"

    assert bad.switch.state == of_another


def test_a_canary_ends_though_store_and_disk_take_nothing(place: ReleaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert die_at(place, 3)  # after the first share
    state = place.switch.state
    assert state is not None
    place.bucket.away = True
    monkeypatch.setattr("ratchet.clients.settle.replace_file", _disk_full)

    after, recorded = end_canary(place.world, "support", state, author("omar", "complaints"))

    assert (after.canary, recorded) == (None, False)
    assert place.switch.state == after


def _disk_full(*_args: object) -> None:
    raise OSError(28, "No space left on device")
