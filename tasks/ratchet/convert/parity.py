"""Does the bundle say what the merged model says? Decided from what both did on the same held-out prompts."""

from collections.abc import Iterable
from dataclasses import dataclass

from ratchet.convert.contract import ConvertSettings
from ratchet.core.checks import Check, CheckResult, Verdict, join
from ratchet.core.contract import Contract
from ratchet.core.evaluation import MetricSamples
from ratchet.core.judgement import judge
from ratchet.core.questions import Question

_TASK = "bundle"
_ALPHA = 0.05
_POWER = 0.8
_MAX_EXAMPLES = 2


class Comparison(Contract):
    """One prompt: what was expected, what each of the two said.

    `same_next_token`: of the .tflite and the merged model, after the prompt. `bundle`: the answer of a conversation
    with the LiteRT-LM runtime, None when it gave none.
    """

    prompt: str
    answer: str
    merged: str
    bundle: str | None
    same_next_token: bool


class Measurements(Contract):
    """`num_too_long`: prompts left out since, with their answer, they do not fit the bundle's context.

    `max_logit_difference` is over next tokens with finite logits. `runtime_error`: what the runtime said when it could
    not load the bundle or not answer.
    """

    comparisons: tuple[Comparison, ...]
    num_too_long: int
    max_logit_difference: float | None
    runtime_error: str = ""


@dataclass(frozen=True)
class Parity:
    verdict: Verdict
    checks: tuple[CheckResult, ...]


def decide(measured: Measurements, settings: ConvertSettings) -> Parity:
    """All three checks must pass. A bound is compared, not a point: too few prompts end INCONCLUSIVE, not PASS."""
    checks = (
        Check(name="top1_agreement", task=_TASK, metric="next token", kind="floor", floor=settings.min_top1_agreement),
        Check(
            name="label_accuracy",
            task=_TASK,
            metric="accuracy",
            kind="no_regression",
            margin=settings.max_label_accuracy_drop,
        ),
        Check(name="conversation", task=_TASK, metric="same answer", kind="floor", floor=settings.min_same_answers),
    )
    rows = measured.comparisons
    if not rows:
        results = tuple(_not_measured(check, measured.num_too_long) for check in checks)
        return Parity(join(results), results)
    samples = (
        (_samples(row.same_next_token for row in rows), None),
        (_samples(row.bundle == row.answer for row in rows), _samples(row.merged == row.answer for row in rows)),
        (_samples(row.bundle == row.merged for row in rows), None),
    )
    questions = [Question(check, ours, merged) for check, (ours, merged) in zip(checks, samples, strict=True)]
    results = tuple(_with_examples(result, measured) for result in judge(questions, _ALPHA, _POWER))
    return Parity(join(results), results)


def _samples(outcomes: Iterable[bool]) -> MetricSamples:
    return MetricSamples(name="same", higher_is_better=True, values=tuple(map(float, outcomes)))


def _not_measured(check: Check, num_too_long: int) -> CheckResult:
    return CheckResult(
        name=check.name,
        verdict="INCONCLUSIVE",
        blocks=check.blocks,
        num_samples=0,
        reason=f"no prompt was compared: {num_too_long} were too long for the bundle's context; raise cache_length",
    )


def _with_examples(result: CheckResult, measured: Measurements) -> CheckResult:
    if result.verdict == "PASS":
        return result
    if measured.runtime_error:
        return result.model_copy(update={"reason": f"{result.reason}; the runtime said: {measured.runtime_error}"})
    different = [row for row in measured.comparisons if row.bundle != row.merged][:_MAX_EXAMPLES]
    shown = [f"{row.prompt[:60]!r} → {row.bundle!r} instead of {row.merged!r}" for row in different]
    return result.model_copy(update={"reason": "; ".join([result.reason, *shown])})
