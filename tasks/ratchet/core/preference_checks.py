"""The gate's judgement of ratings: is the candidate preferred at least nearly as often as the baseline?

A rated sample is a paired outcome: the candidate wins it, the baseline does, or nobody. So the mean preference is
(1 + w) / 2, where w is the share of wins less the share of losses, and w is judged as any difference of two paired
proportions is: by Tango's score test, exact and unconditional up to 30 samples (core/paired.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from ratchet.core.checks import Check, CheckResult, GatePolicy, PreferenceCheck, Verdict
from ratchet.core.comparison import UnknownMetric
from ratchet.core.estimate import Estimate, more_careful
from ratchet.core.evaluation import EvalReport, MetricSamples, TaskReport
from ratchet.core.paired import holm, proportion
from ratchet.core.preference import BASELINE, CANDIDATE, TIE, BadPreferences, JudgeRecord, PreferenceReport
from ratchet.core.questions import Question

_TWO_SIDED_95 = 0.025
_WHO = {"people": "people", "judge": "the judge"}


@dataclass(frozen=True)
class _Answer:
    """`report` is None, and `lacking` says why, where there is nothing to judge."""

    check: PreferenceCheck
    num_planned: int
    report: PreferenceReport | None
    estimate: Estimate | None
    lacking: str = ""


def judge_preferences(
    policy: GatePolicy, ratings: Sequence[PreferenceReport], candidate: EvalReport, baseline: EvalReport
) -> tuple[CheckResult, ...]:
    """PASS when the lower one-sided 1−α bound of the mean preference is above one half less the margin, FAIL when the
    upper one is below (Holm over the blocking ones, with ratings' half of α), else INCONCLUSIVE. One look.

    Raises:
        BadPreferences: ratings are of other models.
        UnknownMetric: a check names a task that was not evaluated.
    """
    for report in ratings:
        _refuse_other_models(report, candidate, baseline)
    answers = [_answer(check, policy, ratings, candidate, baseline) for check in policy.preferences]
    failed = _failed(answers, policy)
    return tuple(
        _described(answer, _verdict(answer, index in failed, policy.alpha), policy.alpha)
        for index, answer in enumerate(answers)
    )


def preference(
    values: Sequence[float | None], sources: Sequence[str], margin: float, alpha: float, power: float
) -> Estimate:
    """Of the mean preference, in 0 … 1, against one half less the margin.

    A sample that nobody rated counts against whatever is to be shown: as lost for PASS, as won for FAIL.
    """
    lost, won = (
        _question([unrated if value is None else value for value in values], sources, margin).estimate(alpha, power)
        for unrated in (BASELINE, CANDIDATE)
    )
    careful = more_careful(lost, won)
    return replace(
        careful,
        value=fmean(TIE if value is None else value for value in values),
        find_low=lambda: (1 + careful.low) / 2,
        find_high=lambda: (1 + careful.high) / 2,
        detectable=careful.detectable / 2,
    )


def _question(values: Sequence[float], sources: Sequence[str], margin: float) -> Question:
    """As a check of paired 0-1 outcomes: who won. Half as much in preference is the whole in wins less losses."""

    def won(side: float) -> MetricSamples:
        outcomes = tuple(float(value == side) for value in values)
        return MetricSamples(name="preference", higher_is_better=True, values=outcomes)

    check = Check(name="wins", task="rated", metric="preference", kind="no_regression", margin=2 * margin)
    return Question(check, won(CANDIDATE), won(BASELINE), sources=tuple(sources), share=True)


def _answer(
    check: PreferenceCheck,
    policy: GatePolicy,
    ratings: Sequence[PreferenceReport],
    candidate: EvalReport,
    baseline: EvalReport,
) -> _Answer:
    task = next((task for task in baseline.tasks if task.name == check.task), None)
    if task is None:
        known = sorted(task.name for task in baseline.tasks)
        raise UnknownMetric(f"check {check.name!r} names task {check.task!r}, but the baseline's report has {known}")
    report = next((r for r in reversed(ratings) if (r.task, r.rater_kind) == (check.task, check.rater)), None)
    if report is None or not _same_samples(report, task):
        kind = "newest ratings are of other samples" if report else "no ratings"
        return _Answer(check, len(task.sample_ids), None, None, _what_to_do(check, kind, candidate, baseline))
    if lacking := _lacking(report):
        return _Answer(check, len(task.sample_ids), report, None, lacking)
    estimate = preference(report.values, report.sources, check.margin, policy.alpha, policy.power)
    return _Answer(check, len(task.sample_ids), report, estimate)


def _refuse_other_models(report: PreferenceReport, candidate: EvalReport, baseline: EvalReport) -> None:
    rated, asked = (
        (report.candidate_sha256, report.baseline_sha256),
        (candidate.model_sha256, baseline.model_sha256),
    )
    if rated != asked:
        raise BadPreferences(
            f"the ratings by {report.rater} are of candidate {rated[0][:12]} and baseline {rated[1][:12]}, expected "
            f"{asked[0][:12]} and {asked[1][:12]}: give the gate the ratings of the two models that it judges"
        )


def _same_samples(report: PreferenceReport, task: TaskReport) -> bool:
    """Are they the first of the samples that are asked now? Their ids name their content."""
    drawn = task.sample_ids[: len(report.sample_ids)]
    return report.sample_ids == drawn and report.config_sha256 == task.config_sha256


def _what_to_do(check: PreferenceCheck, found: str, candidate: EvalReport, baseline: EvalReport) -> str:
    models = f"{candidate.model_sha256[:12]} {baseline.model_sha256[:12]}"
    then = "ratings pairs.jsonl --by NAME" if check.rater == "people" else "judge pairs.jsonl --url URL --model NAME"
    return (
        f"{check.task}: {found} by {_WHO[check.rater]}; make some by `ratchet review pairs {models} "
        f"--task {check.task} --out pairs.jsonl`, then `ratchet review {then}`, and ask the gate again"
    )


def _lacking(report: PreferenceReport) -> str:
    """Why the ratings are no grounds to judge; empty when they are."""
    judge = report.judge
    if judge and 2 * (judge.num_by_position + judge.num_unreadable) > report.num_pairs:
        # Its ties say nothing: they would prove any two models alike.
        return (
            f"{report.task}: {report.rater} is no judge of these answers: "
            f"{told_by(judge, report.num_pairs)}; ask people, or another judge"
        )
    sources = _question([TIE] * len(report.values), report.sources, 0.05).lacking()
    return f"{report.task}: the ratings have {sources}: too little to judge" if sources else ""


def _failed(answers: Sequence[_Answer], policy: GatePolicy) -> set[int]:
    p_values = [answer.estimate.p_below if answer.estimate else 1.0 for answer in answers]
    blocking = [index for index, answer in enumerate(answers) if answer.check.blocks]
    alpha = (1 - policy.measured_share) * policy.alpha
    believed = holm([p_values[index] for index in blocking], lambda _index, left: alpha / left)
    alone = {
        index for index, answer in enumerate(answers) if not answer.check.blocks and p_values[index] < policy.alpha
    }
    return alone | {blocking[index] for index in believed}


def _verdict(answer: _Answer, failed: bool, alpha: float) -> Verdict:
    if failed:
        return "FAIL"
    return "PASS" if answer.estimate and answer.estimate.p_above < alpha else "INCONCLUSIVE"


def _described(answer: _Answer, verdict: Verdict, alpha: float) -> CheckResult:
    check, report, estimate = answer.check, answer.report, answer.estimate
    num_samples = len(report.sample_ids) if report else 0
    about = {
        "name": check.name,
        "verdict": verdict,
        "blocks": check.blocks,
        "num_samples": num_samples,
        "num_planned": answer.num_planned,
    }
    if report is None or estimate is None:
        return CheckResult.model_validate({**about, "reason": answer.lacking})
    undecided = verdict == "INCONCLUSIVE" and (estimate.num_to_decide or 0) > num_samples
    found = {
        "candidate": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "threshold": check.threshold,
        "p_value": estimate.p_above,
        "level": alpha,
        "num_samples_to_decide": estimate.num_to_decide if undecided else None,
        "detectable": estimate.detectable,
        "reason": _sentence(check, report, estimate, verdict, alpha),
    }
    return CheckResult.model_validate({**about, **found})


def _sentence(
    check: PreferenceCheck, report: PreferenceReport, estimate: Estimate, verdict: Verdict, alpha: float
) -> str:
    """E.g. "intent: people prefer the candidate in 12 of 50 samples and the baseline in 9 (mean preference 53%, …"."""
    low, high = f"{100 * max(0.0, estimate.low):.1f}%", f"{100 * min(1.0, estimate.high):.1f}%"
    bounds = {"PASS": f"bound: at least {low}", "FAIL": f"bound: at most {high}"}.get(
        verdict, f"bounds: {low} to {high}"
    )
    who = "people prefer" if check.rater == "people" else "the judge prefers"
    parts = [
        f"{check.task}: {who} the candidate in {report.values.count(CANDIDATE):,} of {len(report.values):,} samples "
        f"and the baseline in {report.values.count(BASELINE):,} (mean preference {100 * estimate.value:.1f}%, "
        f"{100 * (1 - alpha):g}% {bounds}, at least {100 * check.threshold:.1f}% is asked), "
        f"{report.num_equal:,} answers are equal, rated by {report.rater}"
    ]
    if report.num_unrated:
        parts.append(f"{report.num_unrated} pairs are not rated and count against either verdict")
    if report.judge:
        parts.append(told_by(report.judge, report.num_pairs))
    if verdict == "INCONCLUSIVE" and estimate.num_to_decide and estimate.num_to_decide > len(report.values):
        parts.append(f"about {estimate.num_to_decide:,} samples would settle this")
    return "; ".join(parts)


def told_by(judge: JudgeRecord, num_pairs: int) -> str:
    """How the judge fared against its own swapped verdict, and against the metric; ties count as not agreeing."""
    said = f"position decided {judge.num_by_position} of {num_pairs} pairs, {judge.num_unreadable} had no verdict"
    if not judge.num_compared:
        return f"{said}, {judge.metric} prefers no side of any"
    share = proportion(judge.num_agreed, judge.num_compared, 0.5, _TWO_SIDED_95, 0.8)
    return (
        f"{said}, it agrees with {judge.metric} on {judge.num_agreed} of the {judge.num_compared} that this tells "
        f"apart ({share.value:.0%}, 95% interval {share.low:.0%} to {share.high:.0%})"
    )
