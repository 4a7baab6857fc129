import pytest
from tests.fakes.events import RELEASED, ROLLED_BACK, event, model, parts, sha, story

from ratchet.clients.engine import LoadedModel, to_load
from ratchet.clients.way_back import NothingPrevious, Target, at_hand, in_ledger
from ratchet.core.releases import LedgerEvent
from ratchet.core.rollout import first_state, swapped_back, switched_to
from ratchet.core.serving import ServingSettings

ON_A = first_state("blue", "a", sha("a"), seq=0)
ON_B = switched_to(ON_A, "green", "b", sha("b"), seq=2)
BACK_ON_A = swapped_back(ON_B)
THREE = story(*RELEASED, event("approved", "c"), event("promoting", "c"), event("promoted", "c"))
ON_C = switched_to(ON_B, "blue", "c", sha("c"), seq=5)


def loaded(release: str) -> LoadedModel:
    return LoadedModel(release_id=release, model=model(release))


@pytest.mark.parametrize("asked", ["", "a"])
def test_the_previous_colour_is_at_hand_while_it_holds_what_it_served(asked: str) -> None:
    assert at_hand(ON_B, loaded("a"), asked) == Target("blue", loaded("a"))


@pytest.mark.parametrize(
    ("state", "holds", "asked"),
    [
        (ON_A, loaded("b"), ""),
        (ON_B, None, ""),
        (ON_B, loaded("c"), ""),
        (ON_B, LoadedModel(release_id="a", model=model("other")), ""),
        (ON_B, loaded("a"), "older"),
        (BACK_ON_A, loaded("b"), ""),
    ],
    ids=["first release", "unloaded", "a candidate over it", "other bytes", "another was asked for", "rolled back"],
)
def test_nothing_is_at_hand_otherwise(state: object, holds: LoadedModel | None, asked: str) -> None:
    assert at_hand(state, holds, asked) is None  # type: ignore[arg-type]


def test_what_is_no_longer_loaded_is_found_in_the_ledger_for_the_other_colour() -> None:
    assert in_ledger(RELEASED, ON_B, "", None) == Target("blue", loaded("a"))
    assert in_ledger(THREE, ON_C, "", None) == Target("green", loaded("b"))
    assert in_ledger(THREE, ON_C, "a", None) == Target("green", loaded("a"))


def test_a_release_goes_back_to_the_lane_that_it_was_in_whatever_is_live_now() -> None:
    """Release "b" was an adapter on a base; "a" before it and "c" after it are merged models."""
    as_adapter = [event(kind, "b", parts=parts("b")) for kind in ("approved", "promoting", "promoted")]
    events = story(RELEASED[0], *as_adapter, event("approved", "c"), event("promoting", "c"), event("promoted", "c"))
    settings = ServingSettings(max_num_seqs=3)

    from_merged = in_ledger(events, ON_C, "", to_load("c", model("c"), None, settings)).release
    from_adapter = in_ledger(events[:4], ON_B, "", to_load("b", model("b"), parts("b"), settings)).release

    assert from_merged == to_load("b", model("b"), parts("b"), settings)
    assert from_adapter == to_load("a", model("a"), None, settings)


def test_the_same_candidate_from_another_adapter_is_not_what_was_released() -> None:
    target = Target("green", to_load("b", model("b"), parts("b"), ServingSettings()))

    assert target.is_held_by(to_load("b", model("b"), parts("b"), ServingSettings(replicas=2)))
    assert not target.is_held_by(to_load("b", model("b"), parts("c"), ServingSettings()))
    assert not target.is_held_by(loaded("b"))


@pytest.mark.parametrize(
    ("events", "asked", "words"),
    [
        (RELEASED[:1], "", "nothing is previous to a on blue: it is the first release$"),
        (ROLLED_BACK, "", "it was itself gone back to; to go further back, name a release: `ratchet rollback --to b`"),
        (ROLLED_BACK, "nonsense", "nonsense was never in production; expected one of: b$"),
        (RELEASED[:2], "b", "b was never in production; expected one of: none"),
    ],
    ids=["the first release", "after a roll-back", "unknown", "approved is not released"],
)
def test_going_nowhere_says_what_would_do(events: list[LedgerEvent], asked: str, words: str) -> None:
    with pytest.raises(NothingPrevious, match=words):
        in_ledger(events, BACK_ON_A, asked, None)
