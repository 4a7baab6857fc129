from datetime import timedelta

import pytest
from tests.fakes.events import NOON, RELEASED, ROLLED_BACK, event, evidence, model, parts, promotion, sha, story

from ratchet.core.errors import TerminalError
from ratchet.core.releases import LedgerEvent
from ratchet.core.rollout import first_state, switched_to
from ratchet.promote.contract import PromoteInputs
from ratchet.promote.plan import ApprovalVoid, NotStaged, Preview, PreviewAway, plan

ON_A = first_state("blue", "a", sha("a"), seq=0)
ON_B = switched_to(ON_A, "green", "b", sha("b"), seq=2)
READY = Preview(colour="green", model_sha256=sha("b"), problem=None)
APPROVED = RELEASED[:2]


def test_an_approved_candidate_on_preview_may_go() -> None:
    intent = plan(APPROVED, ON_A, READY, promotion(), NOON)

    assert intent is not None
    assert (intent.kind, intent.release_id, intent.colour, intent.by) == ("promoting", "b", "green", "mia")
    assert intent.evidence == evidence("b")


def test_a_candidate_that_has_the_users_needs_nothing() -> None:
    unloaded = Preview(colour="blue", model_sha256=None, problem="gone")

    assert plan(RELEASED, ON_B, unloaded, promotion(approvers=()), NOON) is None


def test_an_intent_that_moved_no_traffic_is_taken_up_again() -> None:
    assert plan(RELEASED[:3], ON_A, READY, promotion(), NOON) is not None


@pytest.mark.parametrize(
    ("events", "inputs", "why"),
    [
        (RELEASED[:1], promotion(), "has no approval in the ledger"),
        (story(RELEASED[0], event("approved", "c")), promotion(), "has no approval in the ledger"),
        (story(*APPROVED, event("rejected", "b", note="too rude")), promotion(), "was to reject it: too rude"),
        (APPROVED, promotion(approvers=("noor",)), r"'mia' is not among the recipe's approvers now \(noor\)"),
        (APPROVED, promotion(approvers=()), r"approvers now \(nobody\)"),
        (story(RELEASED[0], event("approved", "b", by="")), promotion(), "'' is not among"),
    ],
    ids=["none", "another release's", "rejected since", "lost the role", "no approvers", "anonymous"],
)
def test_without_a_living_approval_nothing_moves(events: list[LedgerEvent], inputs: PromoteInputs, why: str) -> None:
    with pytest.raises(ApprovalVoid, match=why):
        plan(events, ON_A, READY, inputs, NOON)


@pytest.mark.parametrize("bound", ["baseline", "bundle", "report", "recipe"])
def test_an_approval_is_void_when_anything_it_binds_has_changed(bound: str) -> None:
    changed = evidence("b").model_copy(update={f"{bound}_sha256": sha("edited")})

    with pytest.raises(ApprovalVoid, match=f"these changed since: .*{bound}"):
        plan(story(RELEASED[0], event("approved", "b")), ON_A, READY, promotion(evidence=changed), NOON)


def test_an_approval_is_void_for_other_weights_or_other_data_under_the_same_release() -> None:
    with pytest.raises(ApprovalVoid, match=r"candidate \(.*model \("):
        plan(APPROVED, ON_A, READY, promotion(model=model("edited")), NOON)
    with pytest.raises(ApprovalVoid, match="dataset"):
        plan(APPROVED, ON_A, READY, promotion(dataset_sha256=sha("edited")), NOON)


def on_base(name: str, **fields: object) -> PromoteInputs:
    return promotion(evidence=evidence("b", served_as=parts(name)), parts=parts(name), **fields)


def test_what_was_approved_as_adapter_on_a_base_goes_live_so() -> None:
    approved = story(RELEASED[0], event("approved", "b", parts=parts("b")))

    intent = plan(approved, ON_A, Preview("green", sha("b"), None, parts("b")), on_base("b"), NOON)

    assert intent is not None
    assert (intent.parts, intent.evidence) == (parts("b"), evidence("b", served_as=parts("b")))


@pytest.mark.parametrize(
    ("approved", "wanted", "why"),
    [
        (parts("b"), on_base("edited"), "adapter .* approved, .* now"),
        (parts("b"), promotion(), "adapter .* approved, nothing now.* base"),
        (None, on_base("b"), r"adapter \(nothing approved"),
    ],
    ids=["another adapter", "merged after all", "adapter after all"],
)
def test_an_approval_is_void_for_anything_else_that_would_serve(
    approved: object, wanted: PromoteInputs, why: str
) -> None:
    events = story(RELEASED[0], event("approved", "b", parts=approved))

    with pytest.raises(ApprovalVoid, match=why):
        plan(events, ON_A, READY, wanted, NOON)


@pytest.mark.parametrize("held", [None, parts("edited")], ids=["merged", "another adapter"])
def test_a_preview_that_serves_the_candidate_otherwise_than_approved_gets_no_users(held: object) -> None:
    approved = story(RELEASED[0], event("approved", "b", parts=parts("b")))

    with pytest.raises(NotStaged, match=f"{sha('adapter of b')} on base {sha('base')} was approved"):
        plan(approved, ON_A, Preview("green", sha("b"), None, held), on_base("b"), NOON)  # type: ignore[arg-type]


def test_an_approval_is_void_when_its_evidence_is_not_about_its_model() -> None:
    forged = story(RELEASED[0], event("approved", "b", evidence=evidence("c")))

    with pytest.raises(ApprovalVoid, match="candidate"):
        plan(forged, ON_A, READY, promotion(), NOON)


def test_an_approval_is_void_when_production_changed_after_it() -> None:
    other_won = story(*APPROVED, event("approved", "c"), event("promoting", "c"), event("promoted", "c"))
    on_c = switched_to(ON_A, "green", "c", sha("c"), seq=3)

    with pytest.raises(ApprovalVoid, match="production changed after it: event 4, promoted of c"):
        plan(other_won, on_c, READY, promotion(), NOON)


def test_an_approval_of_what_was_rolled_back_is_void_and_a_new_one_is_not() -> None:
    back = switched_to(ON_B, "blue", "a", sha("a"), seq=2)

    with pytest.raises(ApprovalVoid, match="event 4, rolled_back of a"):
        plan(ROLLED_BACK, back, READY, promotion(), NOON)

    assert plan(story(*ROLLED_BACK, event("approved", "b")), back, READY, promotion(), NOON) is not None


def test_an_approval_is_void_when_it_compares_with_another_baseline() -> None:
    old = evidence("b", baseline="older")
    events = story(RELEASED[0], event("approved", "b", evidence=old))

    with pytest.raises(ApprovalVoid, match=f"compares with baseline {sha('older')[:12]}, but production is"):
        plan(events, ON_A, READY, promotion(evidence=old), NOON)


def test_an_approval_lapses_but_not_for_clocks_that_differ() -> None:
    limit = NOON + timedelta(hours=24, minutes=1)  # the approval is the story's event of minute 1
    inputs = promotion().model_copy(update={"approval_valid_hours": 24})

    assert plan(APPROVED, ON_A, READY, inputs, limit + timedelta(minutes=10)) is not None
    assert plan(APPROVED, ON_A, READY, inputs, NOON - timedelta(hours=1)) is not None  # a clock was set back
    with pytest.raises(ApprovalVoid, match="is 24 hours old, and the recipe lets one stand for 24"):
        plan(APPROVED, ON_A, READY, inputs, limit + timedelta(minutes=11))


def test_with_two_people_nobody_approves_a_run_of_their_own() -> None:
    alone = story(RELEASED[0], event("approved", "b", asked_by="mia"))
    inputs = promotion().model_copy(update={"two_people": True})

    with pytest.raises(ApprovalVoid, match="'mia' also started the run"):
        plan(alone, ON_A, READY, inputs, NOON)
    assert plan(alone, ON_A, READY, promotion(), NOON) is not None
    assert plan(story(RELEASED[0], event("approved", "b", asked_by="eno")), ON_A, READY, inputs, NOON) is not None


@pytest.mark.parametrize(("holds", "word"), [(sha("c"), sha("c")[:12]), (None, "nothing")])
def test_a_later_candidate_on_preview_makes_the_approval_stale(holds: str | None, word: str) -> None:
    with pytest.raises(NotStaged, match=f"green holds {word}, expected the candidate"):
        plan(APPROVED, ON_A, Preview("green", holds, None), promotion(), NOON)


def test_a_candidate_that_does_not_answer_gets_no_users_yet() -> None:
    with pytest.raises(PreviewAway, match="traffic stays where it is: out of memory") as caught:
        plan(APPROVED, ON_A, Preview("green", sha("b"), "out of memory"), promotion(), NOON)

    assert caught.value.exit_code == 75


def test_a_void_approval_is_said_before_a_silent_engine() -> None:
    with pytest.raises(ApprovalVoid):
        plan(RELEASED[:1], ON_A, Preview("green", sha("b"), "out of memory"), promotion(), NOON)


def test_an_empty_ledger_says_what_to_run() -> None:
    with pytest.raises(TerminalError, match="ratchet up"):
        plan([], ON_A, READY, promotion(), NOON)
