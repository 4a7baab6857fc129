import pytest
from tests.fakes.events import RELEASED, event, sha, story

from ratchet.core.rollout import first_state, swapped_back, switched_to
from ratchet.rollback.contract import RollbackInputs
from ratchet.rollback.decide import is_done

ON_B = switched_to(first_state("blue", "a", sha("a"), seq=0), "green", "b", sha("b"), seq=2)
BACK_ON_A = swapped_back(ON_B)
ON_C = switched_to(ON_B, "blue", "c", sha("c"), seq=5)


def inputs(by: str = "omar", reason: str = "slow", to_release: str = "") -> RollbackInputs:
    return RollbackInputs(line="support", by=by, reason=reason, to_release=to_release)


def test_the_same_request_again_is_done_and_goes_no_further() -> None:
    told = story(*RELEASED, event("rolled_back", "a", by="omar", note="slow"))

    assert is_done(told, BACK_ON_A, inputs())


@pytest.mark.parametrize(
    "other",
    [inputs(by="noor"), inputs(reason="wrong answers"), inputs(to_release="0")],
    ids=["another person", "another reason", "a release by name"],
)
def test_another_request_after_a_roll_back_is_not_done(other: RollbackInputs) -> None:
    told = story(*RELEASED, event("rolled_back", "a", by="omar", note="slow"))

    assert not is_done(told, BACK_ON_A, other)


def test_an_old_roll_back_does_not_answer_a_request_after_the_next_promotion() -> None:
    told = story(
        *RELEASED,
        event("rolled_back", "a", by="omar", note="slow"),
        event("approved", "c"),
        event("promoting", "c"),
        event("promoted", "c"),
    )

    assert not is_done(told, ON_C, inputs())


def test_ending_a_canary_twice_by_the_same_request_leads_no_further_back() -> None:
    events = story(
        *RELEASED, event("approved", "c"), event("promoting", "c"), event("aborted", "c", by="omar", note="slow")
    )
    ended = switched_to(first_state("blue", "a", sha("a"), seq=0), "green", "b", sha("b"), seq=2)

    assert is_done(events, ended, inputs())
    assert not is_done(events, ended, inputs(reason="something else"))
