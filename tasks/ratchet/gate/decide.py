"""Two evaluation reports and a policy in, a verdict out; nothing else is looked at."""

from collections.abc import Iterator

from ratchet.core.checks import Check, GatePolicy, Question, join, judge
from ratchet.core.errors import TerminalError
from ratchet.core.evaluation import EvalReport, MetricSamples, TaskReport
from ratchet.gate.contract import GateOutputs


class MetricMismatch(TerminalError, ValueError):
    """The two reports were not measured alike, so they cannot be compared."""


class UnknownMetric(TerminalError, LookupError):
    """The policy names what was not measured."""


def decide(
    candidate: EvalReport, baseline: EvalReport, policy: GatePolicy, *, baseline_is_bootstrap: bool
) -> GateOutputs:
    """Judge every check of the policy from the per-sample values.

    Raises:
        MetricMismatch: engine, dtype, batch size, seed, or a task's version, configuration, data or samples differ.
        UnknownMetric: a check names a task or metric that a report does not have.
    """
    differences = [*_plan_differences(candidate, baseline), *_task_differences(candidate, baseline, policy)]
    if differences:
        raise MetricMismatch(
            f"candidate and baseline were not measured alike: {'; '.join(differences)}; evaluate the baseline again"
        )
    questions = [_question(check, candidate, baseline, baseline_is_bootstrap) for check in policy.checks]
    results = judge(questions, policy.alpha, policy.power)
    return GateOutputs(verdict=join(results), checks=results)


def _question(check: Check, candidate: EvalReport, baseline: EvalReport, baseline_is_bootstrap: bool) -> Question:
    """`improvement` is asked of the first tuned model; a weekly retrain on nearly the same data need not improve."""
    if check.kind == "improvement" and not baseline_is_bootstrap:
        check = check.model_copy(update={"blocks": False})
    ours = _samples(check, candidate, "candidate")
    return Question(check, ours, None if check.kind == "floor" else _samples(check, baseline, "baseline"))


def _samples(check: Check, report: EvalReport, side: str) -> MetricSamples:
    metrics = {metric.name: metric for metric in _task(check, report, side).metrics}
    if check.metric not in metrics:
        raise UnknownMetric(
            f"check {check.name!r} names metric {check.metric!r} of task {check.task!r}, "
            f"but the {side}'s report has {sorted(metrics)}"
        )
    return metrics[check.metric]


def _task(check: Check, report: EvalReport, side: str) -> TaskReport:
    tasks = {task.name: task for task in report.tasks}
    if check.task not in tasks:
        raise UnknownMetric(
            f"check {check.name!r} names task {check.task!r}, but the {side}'s report has {sorted(tasks)}"
        )
    return tasks[check.task]


def _plan_differences(candidate: EvalReport, baseline: EvalReport) -> Iterator[str]:
    ours, theirs = candidate.plan.model_dump(), baseline.plan.model_dump()
    for name, value in ours.items():
        if value != theirs[name]:
            yield f"{name} is {value!r}, the baseline's was {theirs[name]!r}"


def _task_differences(candidate: EvalReport, baseline: EvalReport, policy: GatePolicy) -> Iterator[str]:
    """Of the tasks that the policy compares."""
    for name in sorted({check.task for check in policy.checks}):
        check = next(check for check in policy.checks if check.task == name)
        ours, theirs = _task(check, candidate, "candidate"), _task(check, baseline, "baseline")
        for what, mine, other in (
            ("version", ours.version, theirs.version),
            ("configuration", ours.config_sha256[:12], theirs.config_sha256[:12]),
            ("data", ours.data_sha256[:12], theirs.data_sha256[:12]),
        ):
            if mine != other:
                yield f"task {name} has {what} {mine}, the baseline's was {other}"
        if ours.sample_ids != theirs.sample_ids:
            yield f"task {name} asked {_samples_in_words(ours, theirs)}"


def _samples_in_words(ours: TaskReport, theirs: TaskReport) -> str:
    if sorted(ours.sample_ids) == sorted(theirs.sample_ids):
        return "the same samples in another order"
    common = len(set(ours.sample_ids) & set(theirs.sample_ids))
    return f"{len(ours.sample_ids)} samples, the baseline's {len(theirs.sample_ids)}, {common} of them in common"
