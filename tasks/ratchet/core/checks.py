"""One rule on a metric, and what came of it: the judgement that gate, convert and stage share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from ratchet.core.contract import Contract
from ratchet.core.evaluation import MetricSamples
from ratchet.core.paired import Estimate, Pairs, holm, mean, paired_proportions, proportion

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]
CheckKind = Literal["floor", "no_regression", "improvement"]


class Check(Contract):
    """One row of a gate file.

    `margin` and `floor` are in the metric's own units; 0.01 is one accuracy point. `margin` is what no_regression may
    lose and what improvement must gain at least. Where lower is better, `floor` is a ceiling.
    A check that does not block only reports.
    """

    name: str = Field(min_length=1)
    task: str
    metric: str
    kind: CheckKind
    margin: float = Field(default=0.0, ge=0.0)
    floor: float | None = None
    blocks: bool = True

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> Self:
        if self.kind == "floor" and (self.floor is None or self.margin):
            raise ValueError("a floor check has `floor` and no `margin`")
        if self.kind != "floor" and self.floor is not None:
            raise ValueError(f"`floor` belongs to floor checks; {self.kind} has `margin`")
        return self


class GatePolicy(Contract):
    """All checks of one recipe. `alpha` is the one-sided error rate, `power` what the sample sizes were planned for."""

    alpha: float = Field(default=0.05, gt=0.0, lt=0.5)
    power: float = Field(default=0.8, gt=0.0, lt=1.0)
    checks: tuple[Check, ...] = Field(min_length=1)


class CheckResult(Contract):
    """What one check found.

    `effect` is candidate − baseline, None for a floor check. `low` and `high` are one-sided 1−α bounds of it (of
    the candidate's own score for a floor check); `threshold`, in the same units, is what they are compared with.
    `p_value` is that of "not good enough": below α means PASS.
    """

    name: str
    verdict: Verdict
    blocks: bool
    candidate: float | None = None
    baseline: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    num_samples: int
    num_samples_to_decide: int | None = None
    reason: str


@dataclass(frozen=True)
class Question:
    """A check and the samples that answer it; only a floor check has no baseline."""

    check: Check
    candidate: MetricSamples
    baseline: MetricSamples | None = None

    @property
    def threshold(self) -> float:
        """What the effect, or the score of a floor check, must be on the good side of."""
        if self.check.kind == "floor":
            return self.check.floor or 0.0
        better = 1 if self.candidate.higher_is_better else -1
        return better * (self.check.margin if self.check.kind == "improvement" else -self.check.margin)

    @property
    def sides(self) -> tuple[MetricSamples, ...]:
        return (self.candidate, self.baseline) if self.baseline else (self.candidate,)

    @property
    def num_missing(self) -> int:
        """Samples that lack a value on some side."""
        return sum(None in values for values in zip(*(side.values for side in self.sides), strict=True))

    @property
    def is_share(self) -> bool:
        """Are all values 0 or 1, so that differences are percentage points?"""
        return all(value in (0.0, 1.0) for side in self.sides for value in side.measured)


def judge(questions: Sequence[Question], alpha: float, power: float) -> tuple[CheckResult, ...]:
    """PASS when the bound is on the good side of the threshold, FAIL when it is on the bad side, else INCONCLUSIVE.

    Every blocking check must pass, so PASS needs no correction (intersection-union); FAIL is corrected by Holm over the
    blocking checks, since any one of them fails the whole.
    """
    estimates = [_estimate(question, alpha, power) for question in questions]
    p_fail = [_p_values(question, estimate)[1] for question, estimate in zip(questions, estimates, strict=True)]
    blocking = [index for index, question in enumerate(questions) if question.check.blocks]
    for index, adjusted in zip(blocking, holm([p_fail[index] for index in blocking]), strict=True):
        p_fail[index] = adjusted
    return tuple(
        _result(question, estimate, p, alpha)
        for question, estimate, p in zip(questions, estimates, p_fail, strict=True)
    )


def join(results: Sequence[CheckResult]) -> Verdict:
    """FAIL if a blocking check fails, PASS if all of them pass. Where none blocks, nothing is proved: INCONCLUSIVE."""
    verdicts = {result.verdict for result in results if result.blocks}
    if "FAIL" in verdicts:
        return "FAIL"
    return "PASS" if verdicts == {"PASS"} else "INCONCLUSIVE"


def _estimate(question: Question, alpha: float, power: float) -> Estimate | None:
    """Of the effect, or of the score for a floor check; None where the samples are no grounds to judge."""
    candidate, threshold = question.candidate.measured, question.threshold
    if question.num_missing or (len(candidate) < 2 and not question.is_share):
        return None
    if question.baseline is None:
        if question.is_share:
            return proportion(candidate.count(1.0), len(candidate), threshold, alpha, power)
        return mean(candidate, threshold, alpha, power)
    differences = [ours - theirs for ours, theirs in zip(candidate, question.baseline.measured, strict=True)]
    if question.is_share:
        pairs = Pairs(differences.count(1.0), differences.count(-1.0), len(differences))
        return paired_proportions(pairs, threshold, alpha, power)
    return mean(differences, threshold, alpha, power)


def _p_values(question: Question, estimate: Estimate | None) -> tuple[float, float]:
    """Of "not good enough" (small: PASS) and of "good enough" (small: FAIL)."""
    if estimate is None:
        return 1.0, 1.0
    p_values = (estimate.p_above, estimate.p_below)
    return p_values if question.candidate.higher_is_better else p_values[::-1]


def _result(question: Question, estimate: Estimate | None, p_fail: float, alpha: float) -> CheckResult:
    check, num_samples = question.check, len(question.candidate.values)
    if estimate is None:
        lacking = (
            f"no value for {question.num_missing} of {num_samples} samples" if question.num_missing else "one sample"
        )
        return CheckResult(
            name=check.name,
            verdict="INCONCLUSIVE",
            blocks=check.blocks,
            num_samples=num_samples,
            reason=f"{check.task} {check.metric} has {lacking}: too little to judge",
        )
    p_pass = _p_values(question, estimate)[0]
    verdict: Verdict = "PASS" if p_pass < alpha else "FAIL" if p_fail < alpha else "INCONCLUSIVE"
    undecided = verdict == "INCONCLUSIVE" and (estimate.num_to_decide or 0) > num_samples
    return CheckResult(
        name=check.name,
        verdict=verdict,
        blocks=check.blocks,
        candidate=question.candidate.mean,
        baseline=question.baseline.mean if question.baseline else None,
        effect=estimate.value if question.baseline else None,
        low=estimate.low,
        high=estimate.high,
        threshold=question.threshold,
        p_value=p_pass,
        num_samples=num_samples,
        num_samples_to_decide=estimate.num_to_decide if undecided else None,
        reason=_sentence(question, estimate, verdict, alpha),
    )


def _sentence(question: Question, estimate: Estimate, verdict: Verdict, alpha: float) -> str:
    """E.g. "intent exact_match rose 41.2 points (95% bound: at least +38.0; more than +0.0 is asked), n = 500"."""
    check, num_samples, is_share = question.check, len(question.candidate.values), question.is_share
    is_floor, higher_is_better = check.kind == "floor", question.candidate.higher_is_better

    def show(value: float) -> str:
        if is_floor:
            return f"{100 * value:.1f}%" if is_share else f"{value:.4g}"
        return f"{100 * value:+.1f}" if is_share else f"{value:+.4g}"

    if is_floor:
        found = f"is {show(estimate.value)}"
        asked = f"{'at least' if higher_is_better else 'at most'} {show(question.threshold)} is asked"
    else:
        found = _movement(estimate.value, is_share)
        limit = show(question.threshold)
        asked = f"{limit} is allowed" if check.kind == "no_regression" else f"better than {limit} is asked"
    if verdict == "INCONCLUSIVE":
        bounds = f"bounds: {show(estimate.low)} to {show(estimate.high)}"
    elif (verdict == "PASS") == higher_is_better:
        bounds = f"bound: at least {show(estimate.low)}"
    else:
        bounds = f"bound: at most {show(estimate.high)}"
    sentence = f"{check.task} {check.metric} {found} ({100 * (1 - alpha):g}% {bounds}; {asked}), n = {num_samples:,}"
    return sentence if verdict != "INCONCLUSIVE" else f"{sentence}; {_what_would_settle(estimate, num_samples)}"


def _movement(effect: float, is_share: bool) -> str:
    if effect == 0:
        return "did not change"
    amount = f"{100 * abs(effect):.1f} points" if is_share else f"{abs(effect):.4g}"
    return f"{'rose' if effect > 0 else 'fell'} {amount}"


def _what_would_settle(estimate: Estimate, num_samples: int) -> str:
    if estimate.num_to_decide is None:
        return "it sits on the limit"
    if estimate.num_to_decide <= num_samples:  # enough for this check alone, too few for one among several
        return "beyond the limit, but by less than so many blocking checks ask for"
    return f"about {estimate.num_to_decide:,} samples would settle it"
