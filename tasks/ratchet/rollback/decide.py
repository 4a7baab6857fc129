"""Where to go back to. The router knows the usual answer; the ledger is asked only for what is no longer loaded."""

from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.clients.engine import LoadedModel
from ratchet.core.errors import TerminalError
from ratchet.core.releases import Colour, LedgerEvent, Production, find_release, previous_production, production_history
from ratchet.core.rollout import RouterState, other
from ratchet.core.serving import ServingSettings
from ratchet.rollback.contract import RollbackInputs


class NothingPrevious(TerminalError, LookupError):
    """There is no release to go back to, or the one that was asked for was never in production."""


@dataclass(frozen=True)
class Target:
    colour: Colour
    release: LoadedModel


def at_hand(state: RouterState, loaded: LoadedModel | None, to_release: str) -> Target | None:
    """The previous colour, when it is what was asked for and still holds what it served.

    Args:
        loaded: what the previous colour holds.
    """
    if state.previous is None or loaded is None:
        return None
    served = state.releases.get(state.previous), state.models.get(state.previous)
    if (loaded.release_id, loaded.model.sha256) != served or to_release not in ("", loaded.release_id):
        return None
    return Target(state.previous, loaded)


def is_done(events: Sequence[LedgerEvent], state: RouterState, inputs: RollbackInputs) -> bool:
    """Was this very request, which names no release, carried out before? Then a retry must not go further back."""
    history = production_history(events)
    if not history or history[-1].kind != "rolled_back" or state.previous is not None:
        return False
    last = next(event for event in reversed(events) if event.seq == history[-1].seq)
    return (last.by, last.note) == (inputs.by, inputs.reason)


def in_ledger(events: Sequence[LedgerEvent], state: RouterState, to_release: str, serving: ServingSettings) -> Target:
    """A release that was in production, to be loaded again on the colour without users.

    Args:
        serving: how the line is served now; the ledger does not say how it was then.

    Raises:
        NothingPrevious: the ledger has no such release.
    """
    history = production_history(events)
    to = find_release(history, to_release) if to_release else previous_production(events)
    if to is None:
        raise NothingPrevious(_nothing(history, state, to_release))
    return Target(other(state.active), LoadedModel(release_id=to.release_id, model=to.model, serving=serving))


def _nothing(history: Sequence[Production], state: RouterState, to_release: str) -> str:
    known = list(dict.fromkeys(entry.release_id for entry in history if entry.release_id != state.active_release))
    if to_release:
        return f"{to_release} was never in production; expected one of: {', '.join(known) or 'none'}"
    why = "it was itself gone back to" if history and history[-1].kind == "rolled_back" else "it is the first release"
    further = f"; to go further back, name a release: `ratchet rollback --to {known[-1]}`" if known else ""
    return f"nothing is previous to {state.active_release} on {state.active}: {why}{further}"
