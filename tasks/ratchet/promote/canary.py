"""The candidate is tried with users' requests, a share at a time, and watched; killed and run again, it goes on."""

import time
from collections.abc import Sequence

from ratchet.clients.probe import Probe, probe
from ratchet.clients.router import MovedMeanwhile, Traffic
from ratchet.clients.world import World
from ratchet.core.evaluation import parse_report
from ratchet.core.golden import Golden, golden_prompts
from ratchet.core.log import log, progress
from ratchet.core.releases import LedgerEvent
from ratchet.core.rollout import RouterState, other, with_canary
from ratchet.core.telemetry import span
from ratchet.promote.contract import Canary, CanarySettings
from ratchet.promote.judge import Judgement, Seen, judge

NUM_GOLDEN_PROMPTS = 20


def try_with_users(
    world: World, canary: Canary, state: RouterState, intent: LedgerEvent
) -> tuple[RouterState, Judgement]:
    """The state in force afterwards, and what the last step showed. Users stay shared between the colours.

    Raises:
        MovedMeanwhile: somebody else moved traffic, e.g. to end the canary.
    """
    golden = _golden(world, canary)
    judgement = Judgement("PASS", "")
    for percent in _steps(canary.settings, state):
        wanted = with_canary(state, intent.release_id, intent.model.sha256, percent, intent.seq)
        if wanted != state:
            world.router.write(wanted, instead_of=state)
            state = wanted
        judgement = _watch(world, intent.line, golden, state, canary.settings)
        log.info("canary", extra={"percent": percent, "verdict": judgement.verdict, "reason": judgement.reason})
        if judgement.verdict != "PASS":
            break
    return state, judgement


def _steps(settings: CanarySettings, state: RouterState) -> list[int]:
    """The shares still to be tried: a canary that was cut short goes on with the share that it had."""
    reached = state.weights.get(other(state.active), 0) if state.canary else 0
    return [share for share in settings.shares if share >= reached]


def _golden(world: World, canary: Canary) -> tuple[Golden, ...]:
    report = parse_report(world.store.read_bytes(canary.candidate_report), "the candidate's report")
    return golden_prompts(world.store.read_bytes(canary.prompts), report, canary.task, NUM_GOLDEN_PROMPTS)


@span("canary share")
def _watch(
    world: World, line: str, golden: Sequence[Golden], state: RouterState, settings: CanarySettings
) -> Judgement:
    tried = other(state.active)
    before = world.router.traffic(tried)
    started = last_said = time.monotonic()
    candidate: list[Probe] = []
    active: list[Probe] = []
    while True:
        number = len(candidate)
        turn = [(tried, candidate), (state.active, active)]
        for colour, probes in turn if number % 2 else reversed(turn):
            asked, timed = golden[number // 2 % len(golden)], number % 2 == 1
            url = world.engine.url(colour)
            probes.append(probe(url, line, asked, settings.max_answer_tokens, timed=timed))
        if world.router.read() != state:
            raise MovedMeanwhile("somebody else moved the users during the canary; look again, then run again")
        elapsed = time.monotonic() - started
        judgement = judge(Seen(candidate, active, _users(before, world.router.traffic(tried)), elapsed), settings)
        if judgement.verdict != "INCONCLUSIVE" or elapsed >= settings.max_stretch * settings.step_seconds:
            return judgement
        if time.monotonic() - last_said >= settings.step_seconds / 4:
            last_said = time.monotonic()
            progress(percent=state.weights[tried], step=round(elapsed), steps=round(settings.step_seconds))
        time.sleep(settings.probe_interval_seconds)


def _users(before: Traffic | None, now: Traffic | None) -> Traffic | None:
    return now.since(before) if before and now else None
