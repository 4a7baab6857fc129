import pytest
from tests.fakes.events import RELEASED, ROLLED_BACK, event, evidence, model, parts, sha, story

from ratchet.core.releases import (
    LedgerEvent,
    approved_on,
    find_release,
    last_decision,
    open_intents,
    previous_production,
    production,
    production_history,
    refusal,
)

AS_ADAPTER = story(
    event("bootstrap", "a"),
    event("approved", "b", parts=parts("b")),
    event("promoting", "b", parts=parts("b")),
    event("promoted", "b", parts=parts("b")),
)


def test_an_empty_ledger_has_no_production() -> None:
    assert production([]) is None
    assert previous_production([]) is None


@pytest.mark.parametrize(
    ("num_events", "live"), [(1, "a"), (2, "a"), (3, "a"), (4, "b")], ids=["bootstrap", "approved", "intent", "done"]
)
def test_production_changes_only_when_the_promotion_is_done(num_events: int, live: str) -> None:
    found = production(RELEASED[:num_events])

    assert found is not None
    assert found.release_id == live


def test_what_a_promotion_replaced_is_previous() -> None:
    found = previous_production(RELEASED)

    assert found is not None
    assert (found.release_id, found.is_bootstrap) == ("a", True)


def test_after_a_roll_back_nothing_is_previous_so_that_a_second_one_cannot_lead_forward() -> None:
    live = production(ROLLED_BACK)

    assert live is not None
    assert live.release_id == "a"
    assert previous_production(ROLLED_BACK) is None


def test_a_roll_back_keeps_what_is_known_about_the_release_it_goes_back_to() -> None:
    to_bootstrap = production(ROLLED_BACK)
    again = story(*ROLLED_BACK, event("rolled_back", "b", dataset_sha256=None))
    to_tuned = production(again)

    assert to_bootstrap is not None
    assert to_bootstrap.is_bootstrap
    assert to_tuned is not None
    assert (to_tuned.is_bootstrap, to_tuned.dataset_sha256) == (False, sha("data b"))


def test_production_says_what_serves_it_after_a_roll_back_too() -> None:
    back_and_forth = story(*AS_ADAPTER, event("rolled_back", "a"), event("rolled_back", "b"))

    assert [entry.parts for entry in production_history(back_and_forth)] == [None, parts("b"), None, parts("b")]


def test_a_release_is_found_only_with_the_model_that_it_had() -> None:
    history = production_history(RELEASED)

    assert find_release(history, "b", sha("b")) == history[-1]
    assert find_release(history, "b", sha("other")) is None
    assert find_release(history, "c") is None


def test_the_last_word_about_a_release_counts() -> None:
    events = story(event("bootstrap", "a"), event("approved", "b"), event("rejected", "b"), event("approved", "c"))

    decision = last_decision(events, "b")

    assert decision is not None
    assert decision.kind == "rejected"


@pytest.mark.parametrize(
    ("events", "intents"),
    [
        (RELEASED[:3], ["b"]),
        (RELEASED, []),
        (story(*RELEASED[:3], event("rolled_back", "a")), []),
        (story(*RELEASED, event("approved", "c"), event("promoting", "c")), ["c"]),
    ],
    ids=["cut short", "done", "undone", "the next one"],
)
def test_an_intent_is_open_until_production_changes(events: list[LedgerEvent], intents: list[str]) -> None:
    assert [intent.release_id for intent in open_intents(events)] == intents


@pytest.mark.parametrize(
    ("events", "refused", "why"),
    [
        (RELEASED, event("bootstrap", "c"), "empty ledger"),
        ([], event("approved", "b"), "must be a bootstrap"),
        (RELEASED[:1], event("approved", "b", evidence=None), "evidence"),
        (RELEASED[:1], event("approved", "b", evidence=evidence("c")), "evidence"),
        (RELEASED[:1], event("approved", "b", parts=parts("b"), evidence=evidence("b")), "what serves it"),
        (RELEASED[:1], event("approved", "b", evidence=evidence("b", served_as=parts("b"))), "what serves it"),
        (RELEASED[:1], event("promoting", "b"), "no approval"),
        (RELEASED[:2], event("promoting", "b", parts=parts("b")), "no approval"),
        (AS_ADAPTER[:2], event("promoting", "b"), "no approval"),
        (AS_ADAPTER[:2], event("promoting", "b", parts=parts("c")), "no approval"),
        (AS_ADAPTER[:3], event("promoted", "b", parts=parts("c")), "no intent"),
        (RELEASED[:2], event("promoting", "b", model=model("other")), "no approval"),
        (story(*RELEASED[:2], event("rejected", "b")), event("promoting", "b"), "no approval"),
        (RELEASED[:2], event("promoted", "b"), "no intent"),
        (RELEASED[:3], event("promoted", "b", model=model("other")), "no intent"),
        (RELEASED, event("promoted", "b"), "no intent"),
        (RELEASED[:3], event("rolled_back", "b"), "never in production"),
        (RELEASED, event("rolled_back", "b", model=model("other")), "never in production"),
    ],
)
def test_an_event_that_would_break_the_story_is_refused(
    events: list[LedgerEvent], refused: LedgerEvent, why: str
) -> None:
    assert why in (refusal(events, refused) or "")


def test_every_event_of_an_honest_story_is_allowed() -> None:
    again = (event(kind, "b", parts=parts("b")) for kind in ("approved", "promoting", "promoted"))
    events = story(*ROLLED_BACK, *again, event("rolled_back", "a"))

    assert [refusal(events[:seq], entry) for seq, entry in enumerate(events)] == [None] * len(events)


def test_the_evidence_is_that_of_the_newest_approval_of_exactly_this_model() -> None:
    older, newer = evidence("b"), evidence("b", baseline="x").model_copy(update={"report_sha256": sha("newer report")})
    events = story(
        event("bootstrap", "a"),
        event("approved", "b", evidence=older),
        event("approved", "b", evidence=newer),
        event("approved", "b", model=model("other"), evidence=evidence("other")),
        event("approved", "c"),
    )

    assert approved_on(events, "b", sha("b")) == sha("newer report")
    assert approved_on(events, "a", sha("a")) is None
