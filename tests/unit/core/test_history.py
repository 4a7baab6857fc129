import pytest
from tests.fakes.events import RELEASED, ROLLED_BACK, event, story

from ratchet.core.history import history, worth_a_row
from ratchet.core.releases import LedgerEvent


@pytest.mark.parametrize(
    ("events", "live"), [(RELEASED[:3], 0), (RELEASED, 3), (ROLLED_BACK, 4)], ids=["base", "promoted", "back"]
)
def test_the_event_that_made_production_is_live(events: list[LedgerEvent], live: int) -> None:
    assert [entry.event.seq for entry in history(events, len(events)) if entry.is_live] == [live]


def test_what_is_not_in_the_ledger_yet_waits() -> None:
    assert [entry.waits for entry in history(ROLLED_BACK, 4)] == [False] * 4 + [True]


def test_an_empty_history_has_no_entries() -> None:
    assert history([], 0) == []


@pytest.mark.parametrize(
    ("events", "kinds"),
    [
        (RELEASED, ["bootstrap", "approved", "promoted"]),
        (RELEASED[:3], ["bootstrap", "approved", "promoting"]),
        (story(*RELEASED[:3], event("rolled_back", "a")), ["bootstrap", "approved", "promoting", "rolled_back"]),
    ],
    ids=["carried out", "open", "undone"],
)
def test_an_intent_has_a_row_unless_it_was_carried_out(events: list[LedgerEvent], kinds: list[str]) -> None:
    assert [entry.event.kind for entry in worth_a_row(history(events, len(events)))] == kinds
