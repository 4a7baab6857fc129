"""Traffic first, then the event. The usual way back reads the router's state and nothing else."""

import time

from ratchet.clients.probe import wait_until
from ratchet.clients.settle import author, foreseen, settle_or_wait
from ratchet.clients.world import World
from ratchet.core.errors import TerminalError, TransientError
from ratchet.core.log import log
from ratchet.core.rollout import Author, RouterState, went_back_to
from ratchet.core.serving import ServingSettings
from ratchet.rollback.contract import RollbackInputs, RollbackOutputs
from ratchet.rollback.decide import Target, at_hand, in_ledger, is_done

READY_TIMEOUT_SECONDS = 420.0


def run(inputs: RollbackInputs, world: World) -> RollbackOutputs:
    state = world.router.read()
    if state is None:
        raise TerminalError("no colour has the users yet, so there is nothing to go back from: run `ratchet up`")
    who = author(inputs.by, inputs.reason)
    if inputs.to_release == state.active_release:
        return _already_there(inputs, world, state, who)
    target = at_hand(state, world.engine.loaded(state.previous) if state.previous else None, inputs.to_release)
    if target is None:
        events = foreseen(world, inputs.line, state, who)
        if is_done(events, state, inputs):
            return _already_there(inputs, world, state, who)
        active = world.engine.loaded(state.active)
        target = in_ledger(events, state, inputs.to_release, active.serving if active else ServingSettings())
    return _go(inputs, world, state, target, who)


def _go(inputs: RollbackInputs, world: World, state: RouterState, target: Target, who: Author) -> RollbackOutputs:
    cold_start = not _is_ready(world, target)
    if cold_start:
        _start(world, target)
    after = went_back_to(state, target.colour, target.release.release_id, target.release.model.sha256)
    started = time.monotonic()
    world.router.write(after, instead_of=state)
    switch_seconds = time.monotonic() - started
    log.info(
        "rolled back",
        extra={"release": target.release.release_id, "colour": target.colour, "switch_seconds": switch_seconds},
    )
    return RollbackOutputs(
        active=target.colour,
        release_id=target.release.release_id,
        switch_seconds=switch_seconds,
        cold_start=cold_start,
        recorded=settle_or_wait(world, inputs.line, after, target.release.model, who),
    )


def _already_there(inputs: RollbackInputs, world: World, state: RouterState, who: Author) -> RollbackOutputs:
    log.info("roll-back skipped: the users are there already", extra={"release": state.active_release})
    loaded = world.engine.loaded(state.active)
    return RollbackOutputs(
        active=state.active,
        release_id=state.active_release,
        switch_seconds=0.0,
        cold_start=False,
        recorded=loaded is not None and settle_or_wait(world, inputs.line, state, loaded.model, who),
    )


def _start(world: World, target: Target) -> None:
    """Raises TransientError when the release does not come up; the users stay where they are."""
    log.warning(
        "cold start: the release to go back to is not answering, so it is loaded first, which takes minutes",
        extra={"release": target.release.release_id, "colour": target.colour},
    )
    engine = world.engine
    engine.load(target.colour, target.release)
    wait_until(lambda: _is_ready(world, target) or engine.failure(target.colour) is not None, READY_TIMEOUT_SECONDS)
    if not _is_ready(world, target):
        problem = engine.failure(target.colour) or engine.problem(target.colour, target.release.model.sha256)
        raise TransientError(
            f"{target.release.release_id} did not come up on {target.colour}: {problem}; "
            f"users stay where they are; run again, or name another release"
        )


def _is_ready(world: World, target: Target) -> bool:
    return world.engine.problem(target.colour, target.release.model.sha256) is None
