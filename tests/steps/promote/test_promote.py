"""Promotion as it is lived: every moment at which the process can die, every outage, every second click."""

import itertools

import pytest
from tests.fakes.events import model, promotion, sha
from tests.fakes.release_world import ReleaseWorld, loaded
from tests.fakes.release_world import rollback as going_back

from ratchet.clients.bucket import StoreAway
from ratchet.core.errors import RatchetError
from ratchet.promote import run as promote
from ratchet.promote.contract import PromoteOutputs
from ratchet.promote.plan import ApprovalVoid, NotStaged, PreviewAway
from ratchet.rollback import run as rollback

# A promotion has six effects (intent, switch, event, two versions, their aliases), each with a before and an after.
MOMENTS = range(12)


def _promote(place: ReleaseWorld) -> PromoteOutputs:
    return promote.run(promotion(), place.world)


def _roll_back(place: ReleaseWorld) -> object:
    return rollback.run(going_back(), place.world)


def _assert_sound(place: ReleaseWorld) -> None:
    """Whatever happened: one colour has all the users, on a model that was approved, and the ledger verifies."""
    state = place.switch.state
    assert state is not None
    assert sorted(state.weights.values()) == [0, 100]
    assert state.weights[state.active] == 100
    assert place.users_on in ("a", "b")
    assert place.engines.held[state.active].model.sha256 == state.active_model
    place.world.ledger(place.line).verify()


def test_a_promotion_moves_all_traffic_and_tells_everybody(place: ReleaseWorld) -> None:
    outputs = _promote(place)

    assert (outputs.active, outputs.previous) == ("green", "blue")
    assert place.users_on == place.live == "b"
    assert place.kinds == ["bootstrap", "approved", "promoting", "promoted"]
    assert outputs.ledger_seq == 3
    assert place.registry.aliases("support") == {"production": sha("b"), "previous": sha("a")}
    _assert_sound(place)


def test_a_second_click_changes_nothing(place: ReleaseWorld) -> None:
    first = _promote(place)
    second = _promote(place)

    assert second == first.model_copy(update={"switch_seconds": 0.0})
    assert len(place.switch.history) == 1
    assert place.kinds.count("promoted") == 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_and_run_again_it_finishes(place: ReleaseWorld, moment: int) -> None:
    place.fuse.kills(moment, lambda: _promote(place))
    _assert_sound(place)

    outputs = _promote(place)

    _assert_sound(place)
    assert outputs.active == "green"
    assert place.users_on == place.live == "b"
    assert place.kinds.count("promoted") == 1
    assert place.registry.aliases("support") == {"production": sha("b"), "previous": sha("a")}


def test_the_moments_cover_the_whole_promotion(place: ReleaseWorld) -> None:
    assert place.fuse.kills(MOMENTS[-1], lambda: _promote(place))
    _promote(place)

    assert not place.fuse.kills(MOMENTS[-1] + 1, lambda: _promote(place))


@pytest.mark.parametrize("moments", itertools.combinations(MOMENTS, 2), ids=str)
def test_killed_twice_and_run_again_it_still_finishes(place: ReleaseWorld, moments: tuple[int, int]) -> None:
    for moment in moments:
        place.fuse.kills(moment, lambda: _promote(place))
    _promote(place)

    _assert_sound(place)
    assert place.users_on == place.live == "b"
    assert place.kinds.count("promoted") == 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_rolled_back_after_a_killed_promotion_it_stays_rolled_back(place: ReleaseWorld, moment: int) -> None:
    place.fuse.kills(moment, lambda: _promote(place))
    had_moved = place.users_on == "b"
    if had_moved:
        _roll_back(place)
    else:
        with pytest.raises(RatchetError, match="nothing is previous to a"):
            _roll_back(place)

    if had_moved:  # the retry that Airflow makes of the killed promotion must not undo what on-call did
        with pytest.raises(ApprovalVoid, match="production changed after it"):
            _promote(place)
    _assert_sound(place)
    assert place.users_on == place.live == "a"


@pytest.mark.parametrize("moments", itertools.product(MOMENTS, range(6)), ids=str)
def test_a_killed_roll_back_of_a_killed_promotion_is_never_undone_by_a_retry(
    place: ReleaseWorld, moments: tuple[int, int]
) -> None:
    place.fuse.kills(moments[0], lambda: _promote(place))
    if place.users_on != "b":
        return  # nothing to roll back
    place.fuse.kills(moments[1], lambda: _roll_back(place))
    if place.users_on == "b":  # killed before it moved traffic: the promotion may still finish
        _promote(place)
        _assert_sound(place)
        assert place.live == "b"
        return

    with pytest.raises(ApprovalVoid):
        _promote(place)

    _assert_sound(place)
    assert place.users_on == place.live == "a"
    assert place.kinds[-1] == "rolled_back"


# outages


def test_a_registry_that_is_away_blocks_no_promotion(place: ReleaseWorld) -> None:
    place.registry.away = True

    _promote(place)

    assert place.users_on == place.live == "b"


def test_a_store_that_is_away_blocks_the_promotion_and_moves_nothing(place: ReleaseWorld) -> None:
    place.bucket.away = True

    with pytest.raises(StoreAway):
        _promote(place)

    assert place.users_on == "a"
    assert place.switch.history == []


def test_a_candidate_that_died_since_it_was_staged_gets_no_users(place: ReleaseWorld) -> None:
    place.engines.dead.add("green")

    with pytest.raises(PreviewAway, match="the process ended"):
        _promote(place)

    assert place.users_on == "a"
    assert place.kinds == ["bootstrap", "approved"]


def test_a_later_candidate_on_preview_is_not_promoted_by_an_older_approval(place: ReleaseWorld) -> None:
    place.engines.held["green"] = loaded("c")

    with pytest.raises(NotStaged):
        _promote(place)

    assert place.users_on == "a"


def test_weights_that_were_edited_after_the_approval_are_not_promoted(place: ReleaseWorld) -> None:
    place.engines.held["green"] = loaded("edited")

    with pytest.raises(ApprovalVoid):
        promote.run(promotion(model=model("edited")), place.world)

    assert place.users_on == "a"


def test_before_the_platform_ever_ran_it_says_what_to_do(place: ReleaseWorld) -> None:
    place.switch.state = None

    with pytest.raises(RatchetError, match="ratchet up"):
        _promote(place)
