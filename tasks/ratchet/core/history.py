"""What happened to a model line, event by event, for whoever asks what was live when."""

from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.core.releases import LedgerEvent, production


@dataclass(frozen=True)
class Entry:
    """`is_live`: this event made the production that the users have. `waits`: the ledger does not hold it yet."""

    event: LedgerEvent
    is_live: bool
    waits: bool


def history(told: Sequence[LedgerEvent], num_written: int) -> list[Entry]:
    """Oldest first.

    Args:
        told: the ledger as it will read once all is told (clients.settle.foreseen); the first `num_written` are in it.
    """
    live = production(told)
    return [
        Entry(event, is_live=live is not None and event.seq == live.seq, waits=number >= num_written)
        for number, event in enumerate(told)
    ]


def worth_a_row(entries: Sequence[Entry]) -> list[Entry]:
    """Without the intents that were carried out: the event after them says so."""
    events = [entry.event for entry in entries]
    return [entry for entry in entries if entry.event.kind != "promoting" or not _was_carried_out(entry.event, events)]


def _was_carried_out(intent: LedgerEvent, events: Sequence[LedgerEvent]) -> bool:
    moves = (event for event in events if event.seq > intent.seq and event.kind in ("promoted", "rolled_back"))
    first = next(moves, None)
    return first is not None and (first.kind, first.release_id) == ("promoted", intent.release_id)
