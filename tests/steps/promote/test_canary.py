"""A canary as it is lived: good and bad candidates, deaths at every moment, and people who come between."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.events import evidence, promotion, sha
from tests.fakes.faults import Call, only
from tests.fakes.fuse import Killed
from tests.fakes.release_world import ReleaseWorld, answering, loaded
from tests.fakes.release_world import rollback as going_back
from tests.fakes.releases import with_canary_of

from ratchet.clients.router import MovedMeanwhile, Traffic
from ratchet.clients.settle import author, end_canary
from ratchet.core.errors import TerminalError
from ratchet.core.rollout import with_canary
from ratchet.promote import run as promote
from ratchet.promote.contract import CanarySettings, PromoteOutputs
from ratchet.rollback import run as rollback
from ratchet.unload.contract import UnloadInputs
from ratchet.unload.run import run as unload

SETTINGS = CanarySettings(
    steps=(10, 50),
    step_seconds=0.02,
    max_stretch=1000.0,  # a busy machine must not make a canary undecided
    probe_interval_seconds=0.001,
    min_requests=4,
    max_latency_ratio=50.0,
)
# Intent, two shares, switch, event, two versions, their aliases: each with a before and an after.
MOMENTS = range(16)


@pytest.fixture(scope="module")
def bad_url() -> Iterator[str]:
    with answering(bad=frozenset({sha("b")})) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, engines_url: str) -> ReleaseWorld:
    return ReleaseWorld(tmp_path, engines_url)


@pytest.fixture
def bad(tmp_path: Path, bad_url: str) -> ReleaseWorld:
    """The candidate answers what nobody evaluated."""
    return ReleaseWorld(tmp_path, bad_url)


def _promote(place: ReleaseWorld, settings: CanarySettings = SETTINGS) -> PromoteOutputs:
    return promote.run(with_canary_of(place, promotion(), settings), place.world)


def _die_at(place: ReleaseWorld, moment: int) -> bool:
    asked = with_canary_of(place, promotion(), SETTINGS)
    place.fuse.set(moment)
    try:
        promote.run(asked, place.world)
    except Killed:
        return True
    finally:
        place.fuse.set(None)
    return False


def _shares(place: ReleaseWorld) -> list[int]:
    """The percent of green in each state that was in force."""
    return [state.weights["green"] for state in place.switch.history]


def _assert_users_are_back(place: ReleaseWorld) -> None:
    state = place.switch.state
    assert state is not None
    assert (state.active, state.weights, state.canary) == ("blue", {"blue": 100, "green": 0}, None)
    assert place.live == "a"
    place.world.ledger(place.line).verify()


def test_a_good_candidate_gets_its_shares_and_then_everybody(place: ReleaseWorld) -> None:
    outputs = _promote(place)

    assert (outputs.verdict, outputs.active) == ("PASS", "green")
    assert _shares(place) == [10, 50, 100]
    assert all(state.active == "blue" for state in place.switch.history[:-1])
    assert place.kinds == ["bootstrap", "approved", "promoting", "promoted"]


def test_a_shadow_comes_first_and_gets_no_users(place: ReleaseWorld) -> None:
    _promote(place, SETTINGS.model_copy(update={"shadow": True}))

    assert _shares(place) == [0, 10, 50, 100]
    assert [state.shadow for state in place.switch.history] == ["green", None, None, None]


def test_a_bad_candidate_is_given_up_and_the_ledger_says_why(bad: ReleaseWorld) -> None:
    outputs = _promote(bad)

    assert (outputs.verdict, outputs.active) == ("FAIL", "blue")
    assert "golden prompts" in outputs.reason
    assert _shares(bad) == [10, 0]
    assert bad.kinds == ["bootstrap", "approved", "promoting", "aborted"]
    _assert_users_are_back(bad)


def test_a_candidate_that_was_given_up_is_not_tried_again(bad: ReleaseWorld) -> None:
    first = _promote(bad)

    again = _promote(bad)

    assert again.verdict == "FAIL"
    assert first.reason in again.reason
    assert _shares(bad) == [10, 0]


def test_a_new_approval_lets_it_be_tried_again(bad: ReleaseWorld) -> None:
    _promote(bad)
    bad.say("approved", "b")

    assert _promote(bad).verdict == "FAIL"
    assert _shares(bad) == [10, 0, 10, 0]
    assert bad.kinds.count("aborted") == 2


def test_an_engine_that_dies_in_the_canary_ends_it(place: ReleaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = place.engines.url

    def url(colour: str) -> str:
        tried = place.switch.state is not None and place.switch.state.canary == colour
        return "http://127.0.0.1:9" if tried else ways(colour)  # type: ignore[arg-type]

    monkeypatch.setattr(place.engines, "url", url)

    outputs = _promote(place)

    assert (outputs.verdict, outputs.active) == ("FAIL", "blue")
    assert "probes failed" in outputs.reason
    _assert_users_are_back(place)


def test_silence_is_no_success(place: ReleaseWorld) -> None:
    outputs = _promote(place, SETTINGS.model_copy(update={"min_user_requests": 1, "max_stretch": 20.0}))

    assert outputs.verdict == "INCONCLUSIVE"
    assert "too few to judge" in outputs.reason
    _assert_users_are_back(place)


def test_users_whose_requests_fail_end_the_canary(place: ReleaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = itertools.count()
    monkeypatch.setattr(place.switch, "traffic", lambda colour: Traffic(100, 7 * next(counts)))

    outputs = _promote(place)

    assert outputs.verdict == "FAIL"
    assert "users' requests to the candidate failed" in outputs.reason
    _assert_users_are_back(place)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_and_run_again_it_finishes(place: ReleaseWorld, moment: int) -> None:
    assert _die_at(place, moment)

    assert _promote(place).verdict == "PASS"

    assert place.users_on == place.live == "b"
    assert place.kinds.count("promoted") == 1
    shares = _shares(place)
    assert shares == sorted(shares)  # it went on with the share that it had
    assert place.registry.aliases("support") == {"production": sha("b"), "previous": sha("a")}
    place.world.ledger(place.line).verify()


def test_the_moments_cover_the_whole_promotion(place: ReleaseWorld) -> None:
    assert not _die_at(place, MOMENTS[-1] + 1)


# Intent, first share, its end, the event: each with a before and an after.
@pytest.mark.parametrize("moment", range(8))
def test_killed_while_it_gives_up_and_run_again_users_are_back(bad: ReleaseWorld, moment: int) -> None:
    _die_at(bad, moment)

    assert _promote(bad).verdict == "FAIL"

    assert bad.kinds[-1] == "aborted"
    _assert_users_are_back(bad)


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_end_of_a_killed_run_takes_its_canary_along(place: ReleaseWorld, moment: int) -> None:
    _die_at(place, moment)
    had_moved = place.users_on == "b"

    asked = promotion()
    outputs = unload(UnloadInputs(line="support", release_id="b", model=asked.model), place.world)

    assert outputs.unloaded is not had_moved
    if not had_moved:
        _assert_users_are_back(place)


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
        _promote(place)

    outputs = _promote(place)  # the retry that Airflow makes

    assert (outputs.verdict, outputs.reason) == ("FAIL", "given up by omar: complaints")
    _assert_users_are_back(place)


def test_a_canary_ends_while_the_store_is_away_and_the_ledger_is_told_later(place: ReleaseWorld) -> None:
    assert _die_at(place, 3)  # after the first share
    state = place.switch.state
    assert state is not None
    place.bucket.away = True
    end_canary(place.world, "support", state, author("omar", "complaints"))
    place.bucket.away = False

    outputs = _promote(place)

    assert outputs.reason == "given up by omar: complaints"
    assert place.kinds[-1] == "aborted"
    _assert_users_are_back(place)


def test_a_roll_back_in_the_canary_ends_it_and_pressed_twice_goes_no_further(place: ReleaseWorld) -> None:
    _die_at(place, 3)  # after the first share

    for _ in range(2):
        outputs = rollback.run(going_back(), place.world)
        assert (outputs.release_id, outputs.active, outputs.recorded) == ("a", "blue", True)

    assert place.kinds == ["bootstrap", "approved", "promoting", "aborted"]
    assert _promote(place).reason == "given up by omar: slow answers"
    _assert_users_are_back(place)


def _canary_of_c(place: ReleaseWorld) -> None:
    """Release "b" is live, after "a"; "c" has a share of the users."""
    _promote(place)
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
    _promote(bad)
    before = bad.switch.state
    assert before is not None
    of_another = with_canary(before, "c", sha("c"), 10, seq=2)
    bad.switch.state = of_another

    assert _promote(bad).verdict == "FAIL"

    assert bad.switch.state == of_another


def test_a_canary_ends_though_store_and_disk_take_nothing(place: ReleaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _die_at(place, 3)  # after the first share
    state = place.switch.state
    assert state is not None
    place.bucket.away = True
    monkeypatch.setattr("ratchet.clients.settle.replace_file", _disk_full)

    after, recorded = end_canary(place.world, "support", state, author("omar", "complaints"))

    assert (after.canary, recorded) == (None, False)
    assert place.switch.state == after


def _disk_full(*_args: object) -> None:
    raise OSError(28, "No space left on device")


def test_an_edge_that_cannot_share_is_said_before_anything_happens(
    place: ReleaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place.switch, "why_no_canary", lambda: "services/support has one selector")

    with pytest.raises(TerminalError, match=r"has one selector.*take `canary` out of the recipe"):
        _promote(place)

    assert place.kinds == ["bootstrap", "approved"]
