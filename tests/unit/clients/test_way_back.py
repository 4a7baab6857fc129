import pytest
from tests.fakes.events import RELEASED, ROLLED_BACK, event, model, sha, story

from ratchet.clients.engine import LoadedModel
from ratchet.clients.way_back import NothingPrevious, Target, at_hand, in_ledger
from ratchet.core.releases import LedgerEvent
from ratchet.core.rollout import first_state, swapped_back, switched_to

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
