"""Watch the new production through the edge; a breach puts the old one back, traffic first, then the ledger."""

from collections.abc import Sequence
from datetime import UTC, datetime

from ratchet.bake.contract import BakeInputs, BakeOutputs
from ratchet.bake.judge import Expected, Judgement, conclude, median_latency_ms
from ratchet.bake.watch import watch
from ratchet.clients.edge_keys import own_key
from ratchet.clients.openai import EngineAway, RequestRefused, chat
from ratchet.clients.probe import Probe
from ratchet.clients.settle import author, settle, settle_or_wait
from ratchet.clients.world import World
from ratchet.core.errors import TerminalError
from ratchet.core.evaluation import EvalReport
from ratchet.core.golden import Golden, golden_prompts
from ratchet.core.log import log
from ratchet.core.refs import FolderRef
from ratchet.core.releases import LedgerEvent, production
from ratchet.core.rollout import RouterState, swapped_back

BY = "bake"
NUM_GOLDEN_PROMPTS = 20


class NoWayBack(TerminalError, RuntimeError):
    """The new production must not stay, but nothing fit for users is loaded beside it."""

    code = "NO_WAY_BACK"


def run(inputs: BakeInputs, world: World) -> BakeOutputs:
    if not _has_users(inputs, world.router.read()):
        return _moved_away(inputs, world, [])
    report = EvalReport.model_validate_json(world.store.read_bytes(inputs.candidate_report))
    golden = golden_prompts(world.store.read_bytes(inputs.prompts), report, inputs.task, NUM_GOLDEN_PROMPTS)
    expected = Expected(release_id=inputs.release_id, latency_ms=inputs.staged_latency_ms)
    key = own_key(world.settings)
    probes = watch(world.router.url(), inputs.line, golden, expected, inputs.settings, key)
    judgement = conclude(probes, expected, inputs.settings)
    state = world.router.read()
    if state is None or not _has_users(inputs, state):  # a person was faster
        return _moved_away(inputs, world, probes)
    if judgement.verdict == "FAIL":
        _roll_back(inputs, world, state, golden[0], judgement.reason)
    if judgement.verdict == "PASS":
        _record(inputs, world, judgement.reason)
    log.info("baked", extra={"verdict": judgement.verdict, "reason": judgement.reason, "requests": len(probes)})
    return _outputs(judgement, probes, rolled_back=judgement.verdict == "FAIL")


def _has_users(inputs: BakeInputs, state: RouterState | None) -> bool:
    return state is not None and state.active_release == inputs.release_id


def _roll_back(inputs: BakeInputs, world: World, state: RouterState, asked: Golden, reason: str) -> None:
    model = _way_back(inputs, world, state, asked, reason)
    after = swapped_back(state)
    world.router.write(after, instead_of=state)
    log.warning("rolled back", extra={"to": after.active_release, "reason": reason})
    settle_or_wait(world, inputs.line, after, model, author(BY, reason))


def _way_back(inputs: BakeInputs, world: World, state: RouterState, asked: Golden, reason: str) -> FolderRef:
    """What the previous colour serves, after it answered: users must not be moved from a bad model to none."""
    previous = state.previous
    held = world.engine.loaded(previous) if previous else None
    if previous is None or held is None or held.model.sha256 != state.models.get(previous):
        problem = "the previous release is not loaded any more"
    else:
        try:
            chat(world.engine.url(previous), inputs.line, asked.prompt, max_tokens=4)
            return held.model
        except (EngineAway, RequestRefused) as error:
            problem = f"{previous} does not answer: {error}"
    raise NoWayBack(
        f"{inputs.release_id} should not stay ({reason}), but {problem}: `ratchet rollback` loads the previous release "
        "and then moves the users back"
    )


def _record(inputs: BakeInputs, world: World, reason: str) -> None:
    def decide(events: Sequence[LedgerEvent]) -> LedgerEvent | None:
        live = production(events)
        if live is None or live.release_id != inputs.release_id:
            return None
        if any(event.kind == "baked" and event.seq > live.seq for event in events):
            return None
        return LedgerEvent(
            line=inputs.line,
            kind="baked",
            at=datetime.now(UTC),
            by=BY,
            release_id=live.release_id,
            model=live.model,
            dataset_sha256=live.dataset_sha256,
            note=reason,
        )

    world.ledger(inputs.line).append(decide)


def _moved_away(inputs: BakeInputs, world: World, probes: Sequence[Probe]) -> BakeOutputs:
    """Somebody moved the users: this step, in an attempt that was cut short, or a person."""
    settle(world, inputs.line, author(BY, "the watch was cut short right after it had rolled back"))
    events = world.ledger(inputs.line).events()
    last = next((event for event in reversed(events) if event.kind in ("bootstrap", "promoted", "rolled_back")), None)
    by_bake = last is not None and last.kind == "rolled_back" and last.by == BY
    told = f"{last.kind} to {last.release_id} by {last.by}: {last.note}" if last else "the ledger is empty"
    judgement = Judgement(
        "FAIL" if by_bake else "INCONCLUSIVE", f"{inputs.release_id} does not have the users any more ({told})"
    )
    log.info("bake ends: the users are elsewhere", extra={"reason": judgement.reason})
    return _outputs(judgement, probes, rolled_back=by_bake)


def _outputs(judgement: Judgement, probes: Sequence[Probe], rolled_back: bool) -> BakeOutputs:
    return BakeOutputs(
        verdict=judgement.verdict,
        rolled_back=rolled_back,
        num_requests=len(probes),
        num_failed=sum(probe.problem is not None for probe in probes),
        latency_ms=median_latency_ms(probes),
        reason=judgement.reason,
    )
