import pytest
from pydantic import ValidationError
from tests.fakes.events import NOON, RELEASED, ROLLED_BACK, event, sha, story

from ratchet.core.errors import TerminalError
from ratchet.core.releases import LedgerEvent, aborted_since_decision, open_intents, refusal
from ratchet.core.rollout import (
    Author,
    RouterState,
    Unexplained,
    first_state,
    swapped_back,
    switched_to,
    unrecorded,
    went_back_to,
    with_canary,
    without_canary,
)

WHO = Author(by="mia", note="too slow", at=NOON)
ON_A = first_state("blue", "a", sha("a"), seq=0)
ON_B = switched_to(ON_A, "green", "b", sha("b"), seq=2)
BACK_ON_A = swapped_back(ON_B)


def test_the_first_state_gives_everything_to_the_only_colour() -> None:
    assert (ON_A.active, ON_A.previous, ON_A.weights) == ("blue", None, {"blue": 100, "green": 0})


def test_a_switch_moves_all_traffic_and_remembers_the_way_back() -> None:
    assert (ON_B.active, ON_B.previous, ON_B.weights) == ("green", "blue", {"blue": 0, "green": 100})
    assert ON_B.releases == {"blue": "a", "green": "b"}
    assert ON_B.serves("b", sha("b"))


def test_going_back_moves_all_traffic_and_leaves_nothing_to_go_back_to() -> None:
    assert (BACK_ON_A.active, BACK_ON_A.previous, BACK_ON_A.weights) == ("blue", None, {"blue": 100, "green": 0})
    assert BACK_ON_A.serves("a", sha("a"))
    with pytest.raises(TerminalError, match="nothing to go back to"):
        swapped_back(BACK_ON_A)


def test_a_state_names_what_its_active_colour_serves() -> None:
    with pytest.raises(ValidationError, match="blue is active"):
        RouterState(
            active="blue", previous=None, weights={"blue": 100}, releases={}, models={"blue": "x"}, ledger_seq=0
        )


@pytest.mark.parametrize("weights", [{}, {"blue": 99}, {"blue": 60, "green": 60}])
def test_weights_are_all_of_the_traffic(weights: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="sum to 100"):
        ON_A.model_validate({**ON_A.model_dump(), "weights": weights})


@pytest.mark.parametrize(
    ("events", "state"),
    [
        (RELEASED[:1], ON_A),
        (RELEASED[:2], ON_A),
        (RELEASED[:3], ON_A),
        (RELEASED, ON_B),
        (ROLLED_BACK, BACK_ON_A),
    ],
    ids=["bootstrap", "approved", "intent, traffic not moved", "promoted", "rolled back"],
)
def test_a_ledger_that_says_where_the_users_are_lacks_nothing(events: list[LedgerEvent], state: RouterState) -> None:
    assert unrecorded(events, state, WHO) is None


def test_a_promotion_cut_short_after_the_switch_lacks_its_promoted_event() -> None:
    missing = unrecorded(RELEASED[:3], ON_B, WHO)

    assert missing is not None
    assert (missing.kind, missing.release_id, missing.colour, missing.by) == ("promoted", "b", "green", "mia")
    assert missing.dataset_sha256 == sha("data b")
    assert refusal(RELEASED[:3], missing) is None


@pytest.mark.parametrize(
    "events", [RELEASED, RELEASED[:3]], ids=["after a whole promotion", "after a promotion cut short"]
)
def test_a_roll_back_cut_short_after_the_switch_lacks_its_event(events: list[LedgerEvent]) -> None:
    missing = unrecorded(events, BACK_ON_A, WHO)

    assert missing is not None
    assert (missing.kind, missing.release_id, missing.note) == ("rolled_back", "a", "too slow")
    assert refusal(events, missing) is None
    assert unrecorded(story(*events, missing), BACK_ON_A, WHO) is None


def test_a_cold_start_of_an_older_release_lacks_its_event_too() -> None:
    events = story(*RELEASED, event("approved", "c"), event("promoting", "c"), event("promoted", "c"))
    on_c = switched_to(ON_B, "blue", "c", sha("c"), seq=5)

    missing = unrecorded(events, went_back_to(on_c, "green", "a", sha("a")), WHO)

    assert missing is not None
    assert (missing.kind, missing.release_id, missing.colour) == ("rolled_back", "a", "green")


@pytest.mark.parametrize(
    ("events", "state"),
    [
        (RELEASED[:2], ON_B),
        (RELEASED, switched_to(ON_B, "blue", "b", sha("other"), seq=2)),
        ([], ON_A),
    ],
    ids=["approved, but no intent", "the release's name with another model", "an empty ledger"],
)
def test_users_on_something_never_released_is_said_loudly(events: list[LedgerEvent], state: RouterState) -> None:
    with pytest.raises(Unexplained, match="find out who moved traffic"):
        unrecorded(events, state, WHO)


def test_a_canary_shares_requests_but_the_users_stay_where_they_are() -> None:
    tried = with_canary(ON_B, "c", sha("c"), 10, seq=2)

    assert (tried.active, tried.active_release, tried.canary) == ("green", "b", "blue")
    assert tried.weights == {"green": 90, "blue": 10}
    assert tried.previous is None  # blue holds the candidate now, not what could be gone back to
    assert without_canary(tried).weights == {"green": 100, "blue": 0}
    assert without_canary(tried).canary is None


def test_a_shadow_has_no_share() -> None:
    tried = with_canary(ON_A, "b", sha("b"), 0, seq=2)

    assert (tried.shadow, tried.canary, tried.weights) == ("green", "green", {"blue": 100, "green": 0})
    assert without_canary(tried).shadow is None
    assert switched_to(tried, "green", "b", sha("b"), seq=2).shadow is None


def test_nobody_is_their_own_shadow() -> None:
    with pytest.raises(ValidationError, match="cannot be their shadow"):
        RouterState.model_validate({**ON_A.model_dump(), "shadow": "blue"})


def test_a_promotion_that_was_given_up_is_no_open_intent() -> None:
    events = story(*RELEASED[:3], event("aborted", "b", by="canary"))

    assert open_intents(events) == []
    assert aborted_since_decision(events, "b") == events[-1]
    assert aborted_since_decision(story(*events, event("approved", "b")), "b") is None
    assert refusal(events, event("promoted", "b")) is not None
    assert refusal(events[:2], event("aborted", "b")) is not None


def test_a_canary_that_was_ended_unsaid_is_told_from_one_that_never_began() -> None:
    intended = RELEASED[:3]  # event 2 is the intent
    tried = with_canary(ON_A, "b", sha("b"), 10, seq=2)

    told = unrecorded(intended, without_canary(tried), WHO)

    assert told is not None
    assert (told.kind, told.release_id, told.by, told.note) == ("aborted", "b", "mia", "too slow")
    assert unrecorded(intended, tried, WHO) is None
    assert unrecorded(intended, ON_A, WHO) is None
    assert unrecorded(story(*intended, event("aborted", "b")), without_canary(tried), WHO) is None
