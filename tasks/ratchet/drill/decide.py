"""What to rehearse, or why not now; and whether it went well."""

from collections.abc import Mapping, Sequence

from ratchet.clients.engine import LoadedModel
from ratchet.clients.way_back import NothingPrevious, Target, at_hand, in_ledger
from ratchet.core.checks import CheckResult
from ratchet.core.errors import NothingToDo, TerminalError, TransientError
from ratchet.core.releases import Colour, LedgerEvent
from ratchet.core.rollout import RouterState


class NoWayBack(NothingToDo, LookupError):
    """A roll-back would lead nowhere, so there is nothing to rehearse."""


class PreviewBusy(NothingToDo, RuntimeError):
    """The colour without users holds something else, which is not to be disturbed."""


class WayBackBroken(TerminalError, RuntimeError):
    """The release that a roll-back leads to does not answer as it did when it was approved."""

    code = "NO_WAY_BACK"


class EdgeAstray(TransientError, RuntimeError):
    """The edge does not follow the router's state."""

    code = "EDGE_LAGS"


def what_to_rehearse(
    events: Sequence[LedgerEvent], state: RouterState, held: Mapping[Colour, LoadedModel | None]
) -> Target:
    """Where `ratchet rollback` would lead now.

    Args:
        events: the ledger as it will read once all is told (clients.settle.foreseen).
        held: what each colour is meant to serve.
    Raises:
        NoWayBack, PreviewBusy.
    """
    target = at_hand(state, held[state.previous] if state.previous else None, to_release="")
    if target is None:
        try:
            target = in_ledger(events, state, "", held[state.active])
        except NothingPrevious as error:
            raise NoWayBack(str(error)) from error
    check_free(target, held[target.colour])
    return target


def check_free(target: Target, on_preview: LoadedModel | None) -> None:
    """Raises PreviewBusy when `target`'s colour is meant to serve something else."""
    if on_preview and not target.is_held_by(on_preview):
        raise PreviewBusy(
            f"{target.colour} holds {on_preview.release_id}, the candidate of a release that is not finished, or not "
            f"unloaded: it is not disturbed; while it is there, a roll-back to {target.release.release_id} starts cold"
        )


def check_answers(target: Target, check: CheckResult) -> None:
    """Raises WayBackBroken when too few golden prompts are answered as in the evaluation."""
    if check.verdict != "PASS":
        raise WayBackBroken(
            f"{target.release.release_id} on {target.colour} would not do: {check.reason}; expected at least "
            f"{check.threshold:.0%}. Until the next release a roll-back must name an earlier one (`ratchet releases`, "
            "`ratchet rollback --to RELEASE`); see `ratchet verify`"
        )


def check_edge(state: RouterState, answered: str | None) -> None:
    """Raises EdgeAstray unless a user was `answered` by the release that the router names."""
    if answered != state.active_release:
        raise EdgeAstray(
            f"users are answered by {answered or 'an unnamed release'}, expected {state.active_release}: the edge "
            "does not follow the router's state; see its log, and `ratchet verify`"
        )
