"""All that a roll-back does but for moving users: get the release ready, ask it, write the router's state as it is."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from ratchet.clients.approved import approved_answers
from ratchet.clients.edge_keys import own_key
from ratchet.clients.engine import COLOURS
from ratchet.clients.openai import chat
from ratchet.clients.probe import QUESTION
from ratchet.clients.settle import author, foreseen
from ratchet.clients.way_back import Target, start, why_cold
from ratchet.clients.world import World
from ratchet.core.drills import Drill
from ratchet.core.errors import RatchetError
from ratchet.core.golden import Golden, agrees, judge_agreement
from ratchet.core.log import log
from ratchet.core.releases import approved_on
from ratchet.core.rollout import RouterState
from ratchet.drill.contract import DrillInputs, DrillOutputs
from ratchet.drill.decide import NoWayBack, check_answers, check_edge, check_free, what_to_rehearse

BY = "drill"


def run(inputs: DrillInputs, world: World) -> DrillOutputs:
    state = world.router.read()
    if state is None:
        raise NoWayBack("nothing is in production yet, so there is no way back to rehearse: run `ratchet up`")
    events = foreseen(world, inputs.line, state, author(BY, ""))
    target = what_to_rehearse(events, state, {colour: world.engine.loaded(colour) for colour in COLOURS})
    record_sha256 = approved_on(events, target.release.release_id, target.release.model.sha256)
    golden = approved_answers(world.store, record_sha256, inputs.task, inputs.num_golden_prompts)
    with _undisturbed(world, target):
        cold_start, ready_seconds = _make_ready(world, target)
        num_agreed = _ask(inputs, world, target, golden)
    drill = Drill(
        line=inputs.line,
        at=datetime.now(UTC),
        release_id=target.release.release_id,
        model_sha256=target.release.model.sha256,
        colour=target.colour,
        cold_start=cold_start,
        ready_seconds=ready_seconds,
        switch_seconds=_write_unchanged(inputs.line, world, state),
        num_golden=len(golden),
        num_agreed=num_agreed,
    )
    recorded = world.drills(inputs.line).append(lambda _: drill) or drill
    outputs = DrillOutputs.model_validate(recorded.model_dump(include=set(DrillOutputs.model_fields)))
    log.info("the way back works", extra=outputs.model_dump(exclude={"contract_version"}))
    return outputs


def _make_ready(world: World, target: Target) -> tuple[bool, float]:
    """Did it have to be started, and the seconds until it answered."""
    began = time.monotonic()
    cold = why_cold(world.engine, target)
    if cold:
        start(world.engine, target)
    return cold is not None, time.monotonic() - began


def _ask(inputs: DrillInputs, world: World, target: Target, golden: Sequence[Golden]) -> int:
    """How many golden prompts are answered as when approved; asked for by digest, which another model refuses."""
    url, model_sha256 = world.engine.url(target.colour), target.release.model.sha256
    answers = [chat(url, model_sha256, entry.prompt, inputs.max_answer_tokens) for entry in golden]
    agreements = [agrees(asked, got.text, got.truncated) for asked, got in zip(golden, answers, strict=True)]
    if agreements:
        check_answers(target, judge_agreement(agreements, inputs.min_golden_agreement))
    return sum(agreements)


def _write_unchanged(line: str, world: World, state: RouterState) -> float:
    """Seconds of the write that a roll-back makes: its lock, its rights, the edge's answer. The users stay.

    Raises EngineAway, EdgeAstray: a router takes its state while the edge is down, but that is no way back for users.
    """
    began = time.monotonic()
    world.router.write(state, instead_of=state)
    switch_seconds = time.monotonic() - began
    answer = chat(world.router.url(), line, QUESTION, max_tokens=1, key=own_key(world.settings))
    check_edge(state, answer.release)
    return switch_seconds


@contextmanager
def _undisturbed(world: World, target: Target) -> Iterator[None]:
    """A release that staged its candidate meanwhile has the colour now: that is no failure of the way back."""
    try:
        yield
    except RatchetError:
        check_free(target, world.engine.loaded(target.colour))
        raise
