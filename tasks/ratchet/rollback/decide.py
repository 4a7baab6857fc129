"""Was this roll-back done already?"""

from collections.abc import Sequence

from ratchet.core.releases import LedgerEvent, production_history
from ratchet.core.rollout import RouterState
from ratchet.rollback.contract import RollbackInputs


def is_done(events: Sequence[LedgerEvent], state: RouterState, inputs: RollbackInputs) -> bool:
    """Was this very request, which names no release, carried out before? Then a retry must not go further back."""
    if inputs.to_release:
        return False
    if events and events[-1].kind == "aborted":  # then the request ended a canary
        return (events[-1].by, events[-1].note) == (inputs.by, inputs.reason)
    history = production_history(events)
    if not history or history[-1].kind != "rolled_back" or state.previous is not None:
        return False
    last = next(event for event in reversed(events) if event.seq == history[-1].seq)
    return (last.by, last.note) == (inputs.by, inputs.reason)
