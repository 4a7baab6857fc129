"""Where a roll-back leads, and how that is made ready: for the roll-back, its dry run and its drill.

The router knows the usual answer; the ledger is asked only for what is no longer loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.clients.engine import Engine, LoadedModel, to_load
from ratchet.clients.probe import wait_until
from ratchet.core.errors import TerminalError, TransientError
from ratchet.core.log import log
from ratchet.core.releases import Colour, LedgerEvent, Production, find_release, previous_production, production_history
from ratchet.core.rollout import RouterState, other
from ratchet.core.serving import ServingSettings

READY_TIMEOUT_SECONDS = 420.0


class NothingPrevious(TerminalError, LookupError):
    """There is no release to go back to, or the one that was asked for was never in production."""

    code = "NO_WAY_BACK"


class DidNotComeUp(TransientError, TimeoutError):
    """The release to go back to was started and is not fit for users."""

    code = "SERVE_NOT_READY"


@dataclass(frozen=True)
class Target:
    colour: Colour
    release: LoadedModel

    def is_held_by(self, loaded: LoadedModel | None) -> bool:
        """Is this what a colour is meant to serve?"""
        wanted = self.release.release_id, self.release.model.sha256, self.release.parts
        return loaded is not None and (loaded.release_id, loaded.model.sha256, loaded.parts) == wanted


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


def in_ledger(events: Sequence[LedgerEvent], state: RouterState, to_release: str, active: LoadedModel | None) -> Target:
    """A release that was in production, to be loaded again on the colour without users.

    Args:
        active: what the active colour holds: the ledger says in which lane a release was served, but not by which
            settings, so they are as this one's.

    Raises:
        NothingPrevious: the ledger has no such release.
    """
    history = production_history(events)
    to = find_release(history, to_release) if to_release else previous_production(events)
    if to is None:
        raise NothingPrevious(_nothing(history, state, to_release))
    serving = active.serving if active else ServingSettings()
    return Target(other(state.active), to_load(to.release_id, to.model, to.parts, serving))


def why_cold(engine: Engine, target: Target) -> str | None:
    """Why users cannot be moved to `target` as it stands; None when it answers as its model."""
    held = engine.loaded(target.colour)
    if held is None:
        return f"{target.colour} is empty"
    if not target.is_held_by(held):
        return f"{target.colour} holds {held.release_id}"
    return engine.problem(target.colour, target.release.model.sha256)


def start(engine: Engine, target: Target) -> None:
    """Load `target` and wait until it answers, or until it is certain that it will not.

    Raises:
        DidNotComeUp: the users stay where they are.
    """
    colour, model_sha256 = target.colour, target.release.model.sha256

    def is_ready() -> bool:
        return engine.problem(colour, model_sha256) is None

    def is_lost() -> bool:
        return engine.failure(colour) is not None or not target.is_held_by(engine.loaded(colour))

    log.warning(
        "cold start: the release to go back to is not answering, so it is loaded first, which takes minutes",
        extra={"release": target.release.release_id, "colour": colour},
    )
    engine.load(colour, target.release)
    wait_until(lambda: is_ready() or is_lost(), READY_TIMEOUT_SECONDS)
    if not is_ready():
        problem = engine.failure(colour) or engine.problem(colour, model_sha256)
        raise DidNotComeUp(
            f"{target.release.release_id} did not come up on {colour}: {problem}; users stay where they are; "
            "run again, or go back to another release by name: `ratchet rollback --to RELEASE`"
        )


def _nothing(history: Sequence[Production], state: RouterState, to_release: str) -> str:
    known = list(dict.fromkeys(entry.release_id for entry in history if entry.release_id != state.active_release))
    if to_release:
        return f"{to_release} was never in production; expected one of: {', '.join(known) or 'none'}"
    why = "it was itself gone back to" if history and history[-1].kind == "rolled_back" else "it is the first release"
    further = f"; to go further back, name a release: `ratchet rollback --to {known[-1]}`" if known else ""
    return f"nothing is previous to {state.active_release} on {state.active}: {why}{further}"
