"""What the steps of a release are asked in a ReleaseWorld, whichever candidate it is about."""

import json

from tests.fakes.events import evidence, model, promotion, sha
from tests.fakes.release_world import ANSWER, ReleaseWorld

from ratchet.bake.contract import BakeInputs, BakeSettings
from ratchet.core.evaluation import EvalReport, MeasuringPlan, MetricSamples, TaskReport, sample_id
from ratchet.core.refs import FileRef
from ratchet.core.releases import Evidence
from ratchet.drill.contract import DrillInputs
from ratchet.promote.contract import Canary, CanarySettings, PromoteInputs
from ratchet.stage.contract import StageInputs, StageSettings
from ratchet.unload.contract import UnloadInputs

TASK = "intent"
ROWS = [{"id": str(number), "prompt": f"Label: {number}", "answer": ANSWER} for number in range(4)]
# A busy machine must not make a canary undecided, nor a candidate slow.
PATIENCE, ANY_LATENCY = 1000.0, 10_000.0
CANARY = CanarySettings(
    steps=(10, 50),
    step_seconds=0.001,
    max_stretch=PATIENCE,
    probe_interval_seconds=0.0001,
    min_requests=2,
    max_latency_ratio=ANY_LATENCY,
)
STAGE = StageSettings(
    ready_timeout_seconds=1, num_golden_prompts=2, num_latency_probes=6, max_latency_ratio=ANY_LATENCY
)
# A breach ends it at once; only a release that may stay is watched for so long.
BAKE = BakeSettings(duration_seconds=5.0, probe_interval_seconds=0.0001, min_requests=2, max_latency_ratio=ANY_LATENCY)


def prompts(place: ReleaseWorld) -> FileRef:
    return place.world.store.put_bytes("\n".join(map(json.dumps, ROWS)).encode())


def report(place: ReleaseWorld, release: str) -> FileRef:
    """The evaluation, in which the candidate answered every prompt right."""
    task = TaskReport(
        name=TASK,
        version="1",
        config_sha256=sha("config"),
        data_sha256=sha("data"),
        sample_ids=tuple(map(sample_id, ROWS)),
        metrics=(MetricSamples(name="exact_match", higher_is_better=True, values=(1.0,) * len(ROWS)),),
        answers=(ANSWER,) * len(ROWS),
    )
    plan = MeasuringPlan(engine="test", dtype="float32", batch_size=1, seed=0)
    made = EvalReport(model_sha256=sha(release), chat_template_sha256=sha("t"), plan=plan, tasks=(task,))
    return place.world.store.put_bytes(made.canonical_json())


def bound(place: ReleaseWorld, release: str, baseline: str) -> Evidence:
    """What an approval of the candidate binds; its decision report is in the store, where a drill finds it."""
    shown = {"prompts": prompts(place).model_dump(), "candidate_report": report(place, release).model_dump()}
    record = place.world.store.put_bytes(json.dumps({"evidence": shown}).encode())
    return evidence(release, baseline).model_copy(update={"report_sha256": record.sha256})


def staging(place: ReleaseWorld, release: str = "b") -> StageInputs:
    return StageInputs(
        line=place.line,
        release_id=release,
        model=model(release),
        prompts=prompts(place),
        candidate_report=report(place, release),
        task=TASK,
        settings=STAGE,
    )


def with_canary_of(place: ReleaseWorld, asked: PromoteInputs, settings: CanarySettings = CANARY) -> PromoteInputs:
    canary = Canary(
        settings=settings,
        prompts=prompts(place),
        candidate_report=report(place, asked.release_id),
        task=TASK,
    )
    return asked.model_copy(update={"canary": canary})


def by_canary(place: ReleaseWorld) -> PromoteInputs:
    return with_canary_of(place, promotion())


def baking(place: ReleaseWorld, release: str = "b") -> BakeInputs:
    return BakeInputs(
        line=place.line,
        release_id=release,
        prompts=prompts(place),
        candidate_report=report(place, release),
        task=TASK,
        staged_latency_ms=20.0,
        settings=BAKE,
    )


def unloading(release: str = "b") -> UnloadInputs:
    return UnloadInputs(line="support", release_id=release, model=model(release))


def rehearsal() -> DrillInputs:
    return DrillInputs(line="support", task=TASK, num_golden_prompts=2, max_answer_tokens=8, min_golden_agreement=0.9)
