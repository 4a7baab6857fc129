"""Traffic first, then the event. The usual way back reads the router's state and nothing else."""

import time

from ratchet.clients.settle import author, end_canary, settle_if_possible, settle_or_wait
from ratchet.clients.way_back import Target, start
from ratchet.clients.world import World
from ratchet.core.log import log
from ratchet.core.rollout import Author, RouterState
from ratchet.rollback.contract import RollbackInputs, RollbackOutputs
from ratchet.rollback.plan import Plan, plan


def run(inputs: RollbackInputs, world: World) -> RollbackOutputs:
    who = author(inputs.by, inputs.reason)
    planned = plan(inputs, world, who)
    if planned.state.canary:
        ended = _end_canary(inputs, world, planned.state, who)
        if planned.target is None:
            return ended
        planned = plan(inputs, world, who)
    if planned.target is None:
        return _already_there(inputs, world, planned.state, who)
    return _go(inputs, world, planned, planned.target, who)


def _go(inputs: RollbackInputs, world: World, planned: Plan, target: Target, who: Author) -> RollbackOutputs:
    if planned.cold:
        start(world.engine, target)
    started = time.monotonic()
    world.router.write(planned.after, instead_of=planned.state)
    switch_seconds = time.monotonic() - started
    log.info(
        "rolled back",
        extra={"release": target.release.release_id, "colour": target.colour, "switch_seconds": switch_seconds},
    )
    return RollbackOutputs(
        active=target.colour,
        release_id=target.release.release_id,
        switch_seconds=switch_seconds,
        cold_start=planned.cold is not None,
        recorded=settle_or_wait(world, inputs.line, planned.after, target.release.model, who),
    )


def _end_canary(inputs: RollbackInputs, world: World, state: RouterState, who: Author) -> RollbackOutputs:
    started = time.monotonic()
    after, recorded = end_canary(world, inputs.line, state, who)
    return RollbackOutputs(
        active=after.active,
        release_id=after.active_release,
        switch_seconds=time.monotonic() - started,
        cold_start=False,
        recorded=recorded,
    )


def _already_there(inputs: RollbackInputs, world: World, state: RouterState, who: Author) -> RollbackOutputs:
    log.info("roll-back skipped: the users are there already", extra={"release": state.active_release})
    return RollbackOutputs(
        active=state.active,
        release_id=state.active_release,
        switch_seconds=0.0,
        cold_start=False,
        recorded=settle_if_possible(world, inputs.line, who),
    )
