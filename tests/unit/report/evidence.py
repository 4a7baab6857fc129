"""Evidence of a release that never was, for the tests of the report; every part can be changed."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from ratchet.core.checks import Check, CheckResult
from ratchet.core.contract import digest_json
from ratchet.core.costs import Rates, StepRate, StepWork
from ratchet.core.evaluation import EvalReport, MeasuringPlan, MetricSamples, Score, TaskReport, sample_id
from ratchet.core.judgement import judge
from ratchet.core.latency import StreamSummary, Timing, summarise
from ratchet.core.memo import Manifest
from ratchet.core.questions import Question
from ratchet.core.refs import FileRef, FolderRef
from ratchet.report.contract import (
    Code,
    DataSummary,
    MeasuringSummary,
    Origin,
    ReportInputs,
    RunWork,
    ServingSummary,
    StepCode,
    TrainingSummary,
)

LABELS = ("card_arrival", "refund_request", "change_password", "track_parcel")
NOTHING = FileRef(uri="store://blobs/00/0", sha256="0" * 64, bytes=1)
RECIPE: dict[str, Any] = {
    "line": "support",
    "method": {"learning_rate": 0.0001, "r": 32},
    "gate": {"alpha": 0.05, "checks": [{"name": "sums", "margin": 0.05}, {"name": "intents", "margin": 0.03}]},
}
BEGAN = datetime(2026, 1, 5, 6, tzinfo=UTC)


def folder(digit: str, num_bytes: int = 11_550_496) -> FolderRef:
    return FolderRef(uri=f"store://blobs/{digit * 2}/{digit * 64}", sha256=digit * 64, bytes=num_bytes)


def split_rows(num: int = 600) -> list[dict[str, str]]:
    rng = random.Random(0)
    texts = ("where is my card", "I want my money back", "I forgot my password", "the parcel is late")
    rows = []
    for index in range(num):
        chosen = rng.randrange(len(LABELS))
        rows.append(
            {"id": str(index), "prompt": f"Give a label for: {texts[chosen]}, case {index}", "answer": LABELS[chosen]}
        )
    return rows


def eval_report(rows: list[dict[str, str]], share_right: float, seed: int, model: str) -> EvalReport:
    """Of one task that asks `rows`; a wrong answer is another label."""
    rng = random.Random(seed)
    right = [rng.random() < share_right for _ in rows]
    answers = [
        row["answer"] if good else LABELS[(LABELS.index(row["answer"]) + 1) % len(LABELS)]
        for row, good in zip(rows, right, strict=True)
    ]
    task = TaskReport(
        name="intent",
        version="1",
        config_sha256="a" * 64,
        data_sha256="b" * 64,
        sample_ids=tuple(sample_id(row) for row in rows),
        metrics=(MetricSamples(name="exact_match", higher_is_better=True, values=tuple(map(float, right))),),
        answers=tuple(answers),
        slices={"answer": tuple(row["answer"] for row in rows)},
    )
    plan = MeasuringPlan(engine="lm-eval 0.4.13", dtype="float32", batch_size=32, seed=0)
    return EvalReport(model_sha256=model * 64, chat_template_sha256="d" * 64, plan=plan, tasks=(task,))


def shares(num_right: int, num: int, shift: int = 0) -> MetricSamples:
    """`shift`: how many samples the two sides of a comparison are right on, each without the other."""
    values = (*(0.0,) * shift, *(1.0,) * num_right, *(0.0,) * (num - num_right - shift))
    return MetricSamples(name="exact_match", higher_is_better=True, values=values)


def gate_checks(kept: int = 368) -> tuple[CheckResult, ...]:
    """`kept`: sums that the candidate gets right, of 600; the baseline gets 372."""
    questions = (
        Question(
            Check(name="intent floor", task="intent", metric="exact_match", kind="floor", floor=0.5), shares(412, 600)
        ),
        Question(
            Check(name="intent improved", task="intent", metric="exact_match", kind="improvement"),
            shares(412, 600),
            shares(30, 600),
        ),
        Question(
            Check(name="arithmetic kept", task="arithmetic", metric="exact_match", kind="no_regression", margin=0.05),
            shares(kept, 600, shift=30),
            shares(372, 600),
        ),
    )
    return judge(questions, alpha=0.05, power=0.8)


def check(name: str, verdict: str, reason: str, **more: Any) -> CheckResult:
    return CheckResult.model_validate(
        {"name": name, "verdict": verdict, "blocks": True, "num_samples": 20, "reason": reason, **more}
    )


def served(answer_ms: float, num_requests: int = 30) -> StreamSummary:
    """What the load probe saw of one colour, whose answers of 16 tokens all took the same time."""
    timing = Timing(0.0, answer_ms / 16_000, answer_ms / 1000, (answer_ms / 16,) * 15, 16, "usage")
    return summarise([timing] * num_requests, num_requests * answer_ms / 1000)


def origin(**changes: Any) -> Origin:
    """Of a model that the code of now made from base "a"; `changes` replace fields."""
    steps = {name: StepCode(revision=1, lock_sha256="1" * 64) for name in ("prepare", "finetune")}
    fields = {"base": folder("a"), "recipe": RECIPE, "code": Code(version="0.1.0", steps=steps)}
    return Origin.model_validate({**fields, **changes})


def with_main_check() -> dict[str, Any]:
    """The fields of a release whose recipe says which of the gate's checks are about what."""
    checks = [{"name": "intent improved", "task": "intent", "metric": "exact_match"}]
    recipe = {**RECIPE, "gate": {"checks": checks}}
    return {"origin": origin(recipe=recipe), "recipe_sha256": digest_json(recipe)}


def rates(**changes: Any) -> Rates:
    """finetune computes on a GPU; storage and a second engine have no price."""
    steps = {
        "resolve": StepRate(per_hour=0.1),
        "finetune": StepRate(kind="gpu", per_hour=2.5),
        "gate": StepRate(per_hour=0.1),
        "stage": StepRate(per_hour=0.1),
    }
    return Rates(currency="EUR", steps=steps).model_copy(update=changes)


def work(rates: Rates | None = None, **changes: Any) -> RunWork:
    """resolve, finetune and gate; their keys are 0…, 1… and 2…."""
    tasks = tuple(
        StepWork(task=name, step=name, key=str(number) * 64, acts=name == "resolve")
        for number, name in enumerate(("resolve", "finetune", "gate"))
    )
    return RunWork(rates=rates, tasks=tasks, **changes)


def manifest(
    task: StepWork, *, seconds: float, minutes_after: float, outputs: dict[str, Any] | None = None
) -> Manifest:
    """Of work that began so many minutes after the run, or before it where they are negative."""
    return Manifest(
        step=task.step,
        key=task.key,
        outputs=outputs or {},
        started_at=BEGAN + timedelta(minutes=minutes_after),
        wall_seconds=seconds,
        peak_memory_mib=812.4,
    )


def inputs(**changes: Any) -> ReportInputs:
    """A good release; `changes` replace fields."""
    fields: dict[str, Any] = {
        "line": "support",
        "release_id": "support-4f2a91c07b3d",
        "recipe_sha256": digest_json(RECIPE),
        "origin": origin(),
        "candidate": folder("c"),
        "baseline": folder("b"),
        "baseline_release_id": "support-bootstrap",
        "baseline_recipe_sha256": digest_json(RECIPE),
        "baseline_record_sha256": "",
        "adapter": folder("d"),
        "bundle": folder("f", 7_172_236),
        "dataset": NOTHING,
        "train": NOTHING,
        "prompts": NOTHING,
        "training_log": NOTHING,
        "candidate_report": NOTHING,
        "baseline_report": NOTHING,
        "candidate_scores": (
            Score(task="intent", metric="exact_match", value=412 / 600, stderr=0.0189, num_samples=600),
            Score(task="arithmetic", metric="exact_match", value=368 / 600, stderr=0.0199, num_samples=600),
        ),
        "baseline_scores": (
            Score(task="intent", metric="exact_match", value=30 / 600, stderr=0.0089, num_samples=600),
            Score(task="arithmetic", metric="exact_match", value=372 / 600, stderr=0.0198, num_samples=600),
        ),
        "gate_verdict": "PASS",
        "gate_checks": gate_checks(),
        "conversion_verdict": "PASS",
        "conversion_checks": (
            check(
                "top1_agreement",
                "PASS",
                "bundle next token is 99.3% (95% bound: at least 97.9%; at least 95.0% is asked), n = 300",
                candidate=0.993,
                low=0.979,
                high=0.9988,
                threshold=0.95,
            ),
        ),
        "conversion_blocks": True,
        "stage_verdict": "PASS",
        "stage_checks": (check("golden_prompts", "PASS", "12 of 12 golden prompts answered as evaluated"),),
        "data": DataSummary(
            num_rows=4812,
            num_new_rows=310,
            num_train=3420,
            num_replay=620,
            num_planted=40,
            num_test=1203,
            num_quarantined=188,
            num_labels=24,
            receipt=NOTHING,
        ),
        "training": TrainingSummary(
            num_steps=125,
            first_loss=1.382,
            last_loss=0.114,
            validation_loss=0.131,
            tokens_per_second=2011.4,
            merge_max_logit_difference=3.8e-6,
        ),
        "measuring": MeasuringSummary(num_samples=1200, num_measured=640),
        "serving": ServingSummary(
            colour="green",
            ready_seconds=71.2,
            preview=served(24.1),
            active=served(23.4),
            tflite_bytes=3_550_240,
            litertlm_bytes=3_599_392,
        ),
    }
    return ReportInputs.model_validate({**fields, **changes})


def training_log(num_steps: int = 125) -> bytes:
    rng = random.Random(1)
    losses = [0.1 + 1.28 * 0.965**step + rng.random() * 0.05 for step in range(1, num_steps + 1)]
    lines = [
        {"at_ms": 0, "metrics": {"loss": loss, "num_tokens": 2000.0}, "step": step}
        for step, loss in enumerate(losses, start=1)
    ]
    lines.append({"at_ms": 0, "metrics": {"validation_loss": 0.131}, "step": num_steps})
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def receipt() -> dict[str, Any]:
    return {
        "schema_version": 1,
        "reasons": [
            {"reason": "duplicate", "rule": "the same text and label came before", "num_rows": 120, "examples": [5, 9]},
            {"reason": "text_too_short", "rule": "text has 10 to 4096 characters", "num_rows": 68, "examples": [3]},
            {"reason": "no_label", "rule": "label is not empty", "num_rows": 0, "examples": []},
        ],
    }
