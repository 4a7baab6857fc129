"""From samples to verdicts, at one look."""

from collections.abc import Sequence
from functools import partial

from ratchet.core.checks import CheckResult, Verdict
from ratchet.core.estimate import Estimate
from ratchet.core.paired import holm
from ratchet.core.questions import Question
from ratchet.core.sentences import sentence


def judge(questions: Sequence[Question], alpha: float, power: float) -> tuple[CheckResult, ...]:
    """The verdicts, with all that is to be said about them."""
    return tuple(
        describe(question, verdict, alpha, power)
        for question, verdict in zip(questions, verdicts(questions, alpha, power), strict=True)
    )


def verdicts(
    questions: Sequence[Question], alpha: float, power: float, num_guards: int = 0, share: float = 1.0
) -> list[Verdict]:
    """PASS when the bound is on the good side of the threshold, FAIL when it is on the bad side, else INCONCLUSIVE.

    Every blocking check must pass, so PASS needs no correction (intersection-union). FAIL is corrected by Holm, since
    any check fails the whole: over the checks that block, and over the slices, which get half of α each where there are
    both, so that many slices do not blind the checks.

    Args:
        num_guards: slices that will be asked in the end, which the correction counts from the first look on.
        share: of α that FAIL may spend here; the rest is for checks that are judged elsewhere.
    """
    p_values = [_p_values(question, _estimate(question, alpha, power)) for question in questions]
    failed = _failed(questions, [p_fail for _, p_fail in p_values], alpha, num_guards, share)
    return [
        "PASS" if p_pass < question.level(alpha) else "FAIL" if index in failed else "INCONCLUSIVE"
        for index, (question, (p_pass, _)) in enumerate(zip(questions, p_values, strict=True))
    ]


def _estimate(question: Question, alpha: float, power: float) -> Estimate | None:
    """None where the samples are no grounds to judge."""
    return None if question.lacking() else question.estimate(alpha, power)


def _failed(
    questions: Sequence[Question], p_values: Sequence[float], alpha: float, num_guards: int, share: float
) -> set[int]:
    blocking = [index for index, question in enumerate(questions) if question.blocks]
    guarding = [index for index, question in enumerate(questions) if question.guards]
    families = [
        (family, size)
        for family, size in ((blocking, len(blocking)), (guarding, max(num_guards, len(guarding))))
        if size
    ]
    failed = {
        index
        for index, question in enumerate(questions)
        if not question.check.blocks and p_values[index] < question.level(alpha)
    }
    for family, size in families:
        among = [questions[index] for index in family]
        level = partial(_share_of_level, among, share * alpha / len(families), size - len(family))
        failed |= {family[index] for index in holm([p_values[index] for index in family], level)}
    return failed


def _share_of_level(questions: Sequence[Question], alpha: float, not_asked: int, index: int, left: int) -> float:
    return questions[index].level(alpha / (left + not_asked))


def _p_values(question: Question, estimate: Estimate | None) -> tuple[float, float]:
    """Of "not good enough" (small: PASS) and of "good enough" (small: FAIL)."""
    if estimate is None:
        return 1.0, 1.0
    p_values = (estimate.p_above, estimate.p_below)
    return p_values if question.candidate.higher_is_better else p_values[::-1]


def describe(question: Question, verdict: Verdict, alpha: float, power: float) -> CheckResult:
    estimate = _estimate(question, alpha, power)
    check, num_samples = question.check, question.num_samples
    about = {
        "name": question.name,
        "blocks": question.blocks,
        "guards": question.guards,
        "slice_name": question.slice_name,
        "is_safety": check.kind == "safety",
        "num_samples": num_samples,
        "num_planned": question.num_planned,
        "noise": question.noise,
    }
    if estimate is None:
        reason = f"{check.task} {check.metric} has {question.lacking()}: too little to judge"
        return CheckResult.model_validate({**about, "verdict": "INCONCLUSIVE", "reason": reason})
    undecided = verdict == "INCONCLUSIVE" and (estimate.num_to_decide or 0) > num_samples
    found = {
        "verdict": verdict,
        "candidate": question.candidate.mean,
        "baseline": question.baseline.mean if question.baseline else None,
        "effect": estimate.value if question.baseline else None,
        "low": estimate.low,
        "high": estimate.high,
        "threshold": question.threshold,
        "p_value": _p_values(question, estimate)[0],
        "level": question.level(alpha),
        "num_samples_to_decide": estimate.num_to_decide if undecided else None,
        "detectable": estimate.detectable,
        "reason": sentence(question, estimate, verdict, alpha),
    }
    return CheckResult.model_validate({**about, **found})
