"""What a roll-back would do, found by looking alone: `run` does it, `ratchet rollback --dry-run` tells it."""

from dataclasses import dataclass

from ratchet.clients.settle import foreseen
from ratchet.clients.way_back import Target, at_hand, in_ledger, why_cold
from ratchet.clients.world import World
from ratchet.core.errors import NotSetUp, RatchetError
from ratchet.core.releases import LedgerEvent
from ratchet.core.rollout import Author, RouterState, went_back_to, without_canary
from ratchet.rollback.contract import RollbackInputs
from ratchet.rollback.decide import is_done


@dataclass(frozen=True)
class Plan:
    """`target` is None when the users are there already. `cold` says why it must be started first; None: it answers.

    A canary that is under way ends before anything else; where no release was named, that is all.
    """

    state: RouterState
    target: Target | None
    cold: str | None = None

    @property
    def after(self) -> RouterState:
        """The router's state once this is done."""
        if self.target is None:
            return without_canary(self.state)
        release = self.target.release
        return went_back_to(self.state, self.target.colour, release.release_id, release.model.sha256)


def plan(inputs: RollbackInputs, world: World, who: Author) -> Plan:
    """Raises NotSetUp, NothingPrevious when there is no way back; changes nothing."""
    state = world.router.read()
    if state is None:
        raise NotSetUp("no colour has the users yet, so there is nothing to go back from: run `ratchet up`")
    if inputs.to_release == state.active_release or (state.canary and not inputs.to_release):
        return Plan(state, None)
    target = at_hand(state, world.engine.loaded(state.previous) if state.previous else None, inputs.to_release)
    if target is None:
        events = foreseen(world, inputs.line, state, who)
        if is_done(events, state, inputs):
            return Plan(state, None)
        target = in_ledger(events, state, inputs.to_release, world.engine.loaded(state.active))
    return Plan(state, target, why_cold(world.engine, target))


def to_be_written(planned: Plan, inputs: RollbackInputs, world: World, who: Author) -> list[LedgerEvent] | None:
    """The events that the ledger would get, those that wait already included; None when the ledger cannot be read."""
    try:
        num_written = len(world.ledger(inputs.line).events())
        return foreseen(world, inputs.line, planned.after, who)[num_written:]
    except RatchetError:
        return None
