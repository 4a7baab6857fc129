"""Load the candidate on the colour without users, and let it prove itself there. One that fails is unloaded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ratchet.clients.engine import Engine, to_load
from ratchet.clients.openai import Answer, chat
from ratchet.clients.world import World
from ratchet.core.checks import CheckResult, join
from ratchet.core.errors import NothingToDo, NotSetUp, RatchetError, TerminalError, TransientError
from ratchet.core.evaluation import EvalReport
from ratchet.core.golden import Golden, golden_prompts
from ratchet.core.log import log, progress
from ratchet.core.releases import Colour
from ratchet.core.rollout import RouterState, other
from ratchet.core.telemetry import span
from ratchet.stage.adapter import check_parts
from ratchet.stage.contract import StageInputs, StageOutputs, StageSettings
from ratchet.stage.judge import judge_failures, judge_golden, judge_ratios
from ratchet.stage.probe import Probed, endpoint, probe
from ratchet.stage.ready import wait_ready


class OtherLine(TerminalError, ValueError):
    """This platform serves another model line."""

    code = "SETTINGS_INVALID"


class OtherModel(TerminalError, ValueError):
    """The evaluation is not about the model that is to be staged."""

    code = "GATE_MISSING_EVIDENCE"


class CanaryUnderWay(TransientError, RuntimeError):
    """The preview colour has users at this moment."""

    code = "MOVED_MEANWHILE"


def run(inputs: StageInputs, world: World) -> StageOutputs:
    settings, engine = inputs.settings, world.engine
    state = _state_before(inputs, world)
    preview = other(state.active)
    if inputs.parts:
        check_parts(inputs.model, inputs.parts, world)
    prompts = _prompts(inputs, world, settings.num_golden_prompts + settings.num_latency_probes)
    golden = prompts[: settings.num_golden_prompts]
    with _unloaded_if_it_fails(engine, preview):
        ready_seconds = _load(inputs, engine, preview, prompts)
        answers = _ask(inputs, engine.url(preview), golden)
        probed = _probe(inputs, engine, state.active, prompts)
    checks = (judge_golden(golden, answers, settings.min_golden_agreement), *_judge_load(probed, settings))
    verdict = join(checks)
    if verdict == "FAIL":
        engine.unload(preview)
    log.info("staged", extra={"colour": preview, "verdict": verdict, "ready_seconds": ready_seconds})
    return StageOutputs(
        colour=preview,
        verdict=verdict,
        checks=checks,
        ready_seconds=ready_seconds,
        preview_latency_ms=probed.preview.answer_ms.p50 or 0.0,
        active_latency_ms=probed.active.answer_ms.p50 or 0.0,
        preview=probed.preview,
        active=probed.active,
    )


def _state_before(inputs: StageInputs, world: World) -> RouterState:
    """Raises NothingToDo for a model that has the users already, TerminalError where it must not be staged."""
    if inputs.line != world.settings.recipe:
        raise OtherLine(
            f"this platform serves {world.settings.recipe!r} (`recipe` in ratchet.toml), not {inputs.line!r}: "
            "its users would get another line's model; give the line a platform of its own"
        )
    state = world.router.read()
    if state is None:
        raise NotSetUp("nothing is in production, so there is no preview colour yet: run `ratchet up`")
    if state.canary:
        raise CanaryUnderWay(
            f"{state.canary} is answering users as the canary of {state.releases[state.canary]}: it must not be "
            "loaded over; wait for its end, or end it with `ratchet rollback`"
        )
    if state.active_model == inputs.model.sha256:
        raise NothingToDo(
            f"{state.active} serves exactly this model to users already, as {state.active_release}: nothing to stage"
        )
    return state


def _prompts(inputs: StageInputs, world: World, count: int) -> tuple[Golden, ...]:
    report = EvalReport.model_validate_json(world.store.read_bytes(inputs.candidate_report))
    if report.model_sha256 != inputs.model.sha256:
        raise OtherModel(
            f"the evaluation report is about model {report.model_sha256[:12]}, expected {inputs.model.sha256[:12]}: "
            "evaluate the candidate that is to be staged"
        )
    return golden_prompts(world.store.read_bytes(inputs.prompts), report, inputs.task, count)


@span("load")
def _load(inputs: StageInputs, engine: Engine, preview: Colour, prompts: Sequence[Golden]) -> float:
    """Seconds until it answered. It is asked for by digest: an engine that holds another model refuses."""
    engine.load(preview, to_load(inputs.release_id, inputs.model, inputs.parts, inputs.serving))
    asked = [golden.prompt for golden in prompts]
    return wait_ready(engine, preview, inputs.model.sha256, asked, inputs.settings.ready_timeout_seconds)


@span("golden prompts")
def _ask(inputs: StageInputs, url: str, golden: Sequence[Golden]) -> list[Answer]:
    progress(state="asking the golden prompts", count=len(golden))
    return [chat(url, inputs.line, entry.prompt, inputs.settings.max_answer_tokens) for entry in golden]


@span("load probe")
def _probe(inputs: StageInputs, engine: Engine, active: Colour, prompts: Sequence[Golden]) -> Probed:
    """With other prompts than the golden ones, where there are any: the preview has those in its prefix cache."""
    asked = prompts[inputs.settings.num_golden_prompts :] or prompts
    ours, theirs = (endpoint(engine.url(colour), inputs.line) for colour in (other(active), active))
    return probe(ours, theirs, [golden.prompt for golden in asked], inputs.settings)


def _judge_load(probed: Probed, settings: StageSettings) -> list[CheckResult]:
    """After a failure there is nothing more to judge."""
    return [judge_failures(probed.preview), *([] if probed.failed else judge_ratios(probed.pairs, settings))]


@contextmanager
def _unloaded_if_it_fails(engine: Engine, colour: Colour) -> Iterator[None]:
    try:
        yield
    except BaseException as failure:
        log.warning("staging failed: the candidate is unloaded", extra={"colour": colour, "why": str(failure)})
        try:
            engine.unload(colour)
        except RatchetError as second:  # the first error is the one to be told
            log.warning("the candidate could not be unloaded", extra={"colour": colour, "why": str(second)})
        raise
