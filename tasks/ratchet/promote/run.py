"""Intent into the ledger, the canary, traffic, the rest into the ledger, aliases. Killed and run again, it finishes."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from ratchet.clients.registry import follow_ledger
from ratchet.clients.router import MovedMeanwhile
from ratchet.clients.settle import author, end_canary, settle
from ratchet.clients.tracking import tell_missed_runs
from ratchet.clients.world import World
from ratchet.core.errors import NotSetUp, TerminalError
from ratchet.core.log import log
from ratchet.core.releases import LedgerEvent, aborted_since_decision, production
from ratchet.core.rollout import RouterState, other, switched_to
from ratchet.core.telemetry import span
from ratchet.promote.canary import try_with_users
from ratchet.promote.contract import PromoteInputs, PromoteOutputs
from ratchet.promote.judge import Judgement
from ratchet.promote.plan import Preview, plan

BY = "canary"


class ImpossibleCanary(TerminalError, ValueError):
    """The recipe asks for a canary that this router cannot make."""

    code = "RECIPE_INVALID"


def run(inputs: PromoteInputs, world: World) -> PromoteOutputs:
    settle(world, inputs.line)
    state = world.router.read()
    if state is None:
        raise NotSetUp("no colour has the users yet: run `ratchet up`, then the release again")
    ledger = world.ledger(inputs.line)
    if given_up := aborted_since_decision(ledger.events(), inputs.release_id):
        reason = f"given up by {given_up.by}: {given_up.note}"
        return _given_up(inputs, world, state, Judgement("FAIL", reason), given_up.by)
    _refuse_impossible_canary(inputs, world)
    preview = _look_at_preview(world, state, inputs)
    before = state

    def intend(events: Sequence[LedgerEvent]) -> LedgerEvent | None:
        if world.router.read() != before:
            raise MovedMeanwhile("somebody else moved the users meanwhile; look again, then run again")
        return plan(events, before, preview, inputs, datetime.now(UTC))

    intent = ledger.append(intend)
    switch_seconds = 0.0
    if intent:
        if inputs.canary:
            state, judgement = try_with_users(world, inputs.canary, state, intent)
            if judgement.verdict != "PASS":
                return _given_up(inputs, world, state, judgement, BY)
        state, switch_seconds = _move(world, state, intent)
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


def _given_up(inputs: PromoteInputs, world: World, state: RouterState, judgement: Judgement, by: str) -> PromoteOutputs:
    """Everybody is back on production, and the ledger says why. Another release's canary is not ours to end."""
    if state.canary and state.releases[state.canary] == inputs.release_id:
        state, _ = end_canary(world, inputs.line, state, author(by, judgement.reason))
    live = production(world.ledger(inputs.line).events())
    log.warning("not promoted", extra={"release": inputs.release_id, "reason": judgement.reason})
    return PromoteOutputs(
        verdict=judgement.verdict,
        reason=judgement.reason,
        active=state.active,
        previous=state.previous,
        ledger_seq=live.seq if live else 0,
        switch_seconds=0.0,
    )


def _refuse_impossible_canary(inputs: PromoteInputs, world: World) -> None:
    if inputs.canary and (problem := world.router.why_no_canary()):
        raise ImpossibleCanary(f"the recipe asks for a canary, but {problem}; or take `canary` out of the recipe")


def _look_at_preview(world: World, state: RouterState, inputs: PromoteInputs) -> Preview:
    colour = other(state.active)
    loaded = world.engine.loaded(colour)
    problem = None
    if not state.serves(inputs.release_id, inputs.model.sha256):
        problem = world.engine.failure(colour) or world.engine.problem(colour, inputs.model.sha256)
    held = loaded.model.sha256 if loaded else None
    return Preview(colour=colour, model_sha256=held, problem=problem, parts=loaded.parts if loaded else None)


@span("switch")
def _move(world: World, state: RouterState, intent: LedgerEvent) -> tuple[RouterState, float]:
    """The state in force afterwards, and how many seconds the switch took."""
    moved = switched_to(state, other(state.active), intent.release_id, intent.model.sha256, intent.seq)
    started = time.monotonic()
    world.router.write(moved, instead_of=state)
    return moved, time.monotonic() - started
