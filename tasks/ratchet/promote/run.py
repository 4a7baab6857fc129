"""Intent into the ledger, traffic, the rest into the ledger, aliases. Killed anywhere and run again, it finishes."""

import time
from datetime import UTC, datetime

from ratchet.clients.registry import follow_ledger
from ratchet.clients.settle import settle
from ratchet.clients.tracking import tell_missed_runs
from ratchet.clients.world import World
from ratchet.core.errors import TerminalError
from ratchet.core.log import log
from ratchet.core.releases import LedgerEvent, production
from ratchet.core.rollout import RouterState, other, switched_to
from ratchet.promote.contract import PromoteInputs, PromoteOutputs
from ratchet.promote.plan import Preview, plan


def run(inputs: PromoteInputs, world: World) -> PromoteOutputs:
    settle(world, inputs.line)
    state = world.router.read()
    if state is None:
        raise TerminalError("no colour has the users yet: run `ratchet up`, then the release again")
    preview = _look_at_preview(world, state, inputs)
    ledger = world.ledger(inputs.line)
    before = state
    intent = ledger.append(lambda events: plan(events, before, preview, inputs, datetime.now(UTC)))
    switch_seconds = 0.0
    if intent:
        state, switch_seconds = _move(world, before, intent)
    settle(world, inputs.line)
    events = ledger.events()
    follow_ledger(world.registry, inputs.line, events)
    tell_missed_runs(world.store, world.registry, inputs.line)
    live = production(events)
    log.info(
        "promoted" if intent else "promotion skipped: the users are there already",
        extra={"release": inputs.release_id, "colour": state.active, "switch_seconds": switch_seconds},
    )
    return PromoteOutputs(
        active=state.active,
        previous=state.previous,
        ledger_seq=live.seq if live else 0,
        switch_seconds=switch_seconds,
    )


def _look_at_preview(world: World, state: RouterState, inputs: PromoteInputs) -> Preview:
    colour = other(state.active)
    loaded = world.engine.loaded(colour)
    problem = None
    if not state.serves(inputs.release_id, inputs.model.sha256):
        problem = world.engine.failure(colour) or world.engine.problem(colour, inputs.model.sha256)
    return Preview(colour=colour, model_sha256=loaded.model.sha256 if loaded else None, problem=problem)


def _move(world: World, state: RouterState, intent: LedgerEvent) -> tuple[RouterState, float]:
    """The state in force afterwards, and how many seconds the switch took."""
    moved = switched_to(state, other(state.active), intent.release_id, intent.model.sha256, intent.seq)
    started = time.monotonic()
    world.router.write(moved, instead_of=state)
    return moved, time.monotonic() - started
