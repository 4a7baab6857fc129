"""Two evaluation reports and a policy: what each check found, and whether measuring more can change the answer.

The stopping rule of `evaluate` and the verdict of `gate` are one replay of the same looks, so they cannot disagree.
"""

from collections.abc import Iterator, Sequence

from ratchet.core.checks import Check, CheckResult, GatePolicy, Verdict
from ratchet.core.errors import TerminalError
from ratchet.core.evaluation import EvalReport, MetricSamples, TaskReport
from ratchet.core.judgement import describe, verdicts
from ratchet.core.questions import Question
from ratchet.core.sequential import look_counts


class MetricMismatch(TerminalError, ValueError):
    """The two reports were not measured alike, so they cannot be compared."""

    code = "GATE_MISSING_EVIDENCE"


class UnknownMetric(TerminalError, LookupError):
    """The policy names what was not measured."""

    code = "GATE_MISSING_EVIDENCE"


def compare(
    candidate: EvalReport, baseline: EvalReport, policy: GatePolicy, *, baseline_is_bootstrap: bool
) -> tuple[CheckResult, ...]:
    """Judge every check look by look, from the per-sample values; the first look that settles a check is its verdict.

    Args:
        candidate: per task the first samples of the baseline's, up to one of the policy's looks.
        baseline_is_bootstrap: `improvement` is asked of the first tuned model; a weekly retrain on nearly the same data
            need not improve.
    Raises:
        MetricMismatch: engine, dtype, batches, seed, or a task's version, configuration, data or samples differ.
        UnknownMetric: a check names a task, metric or slicing that a report does not have.
    """
    found = _settled(candidate, baseline, policy, baseline_is_bootstrap)
    asked = {question.check.name for question, _ in found}
    return (
        *(describe(question, verdict, policy.alpha, policy.power) for question, verdict in found),
        *(_not_asked(check) for check in policy.checks if check.name not in asked),
    )


def open_tasks(
    candidate: EvalReport, baseline: EvalReport, policy: GatePolicy, *, baseline_is_bootstrap: bool
) -> set[str]:
    """The tasks that more samples of could change the gate's verdict: none once a check failed.

    A task is measured until each slice that a check asks about has its `min_samples`; one without a check that
    blocks, to its end. Arguments and errors are those of `compare`.
    """
    found = _settled(candidate, baseline, policy, baseline_is_bootstrap)
    if any(verdict == "FAIL" and (question.blocks or question.guards) for question, verdict in found):
        return set()
    blocking = [(question.check.task, verdict) for question, verdict in found if question.blocks]
    undecided = {task for task, verdict in blocking if verdict == "INCONCLUSIVE"}
    unasked = {check.task for check in policy.checks if check.by and _has_thin_slices(check, candidate, baseline)}
    return undecided | unasked | ({task.name for task in candidate.tasks} - {task for task, _ in blocking})


def _has_thin_slices(check: Check, candidate: EvalReport, baseline: EvalReport) -> bool:
    """Is there a slice that has enough samples in all, but not among those measured so far?"""
    num_measured = len(_task(check, candidate, "candidate").sample_ids)
    measured = {name for name, _ in _slices(check, _task(check, baseline, "baseline"), num_measured)}
    return measured != _whole_slices(check, baseline)


def _whole_slices(check: Check, baseline: EvalReport) -> set[str | None]:
    """The slices that are asked once everything is measured."""
    task = _task(check, baseline, "baseline")
    return {name for name, _ in _slices(check, task, len(task.sample_ids))}


def _not_asked(check: Check) -> CheckResult:
    """A slice that there is not counts as open, not as passed."""
    return CheckResult(
        name=check.name,
        verdict="INCONCLUSIVE",
        blocks=False,
        guards=check.blocks,
        num_samples=0,
        reason=f"{check.task} has no {check.by} with {check.min_samples} samples: ask for fewer, or measure more",
    )


def _settled(
    candidate: EvalReport, baseline: EvalReport, policy: GatePolicy, baseline_is_bootstrap: bool
) -> list[tuple[Question, Verdict]]:
    """Each check's verdict, as asked at the look that settled it, or else at the last one."""
    _refuse_unlike(candidate, baseline, policy)
    checks = [_as_asked(check, baseline_is_bootstrap) for check in policy.checks]
    num_guards = sum(len(_whole_slices(check, baseline)) for check in checks if check.by and check.blocks)
    found: dict[tuple[str, str | None], tuple[Question, Verdict]] = {}
    for look in range(policy.num_looks):
        questions = [question for check in checks for question in _questions(check, candidate, baseline, policy, look)]
        judged = verdicts(questions, policy.alpha, policy.power, num_guards, policy.measured_share)
        for question, verdict in zip(questions, judged, strict=True):
            key = question.check.name, question.slice_name
            if key not in found or found[key][1] == "INCONCLUSIVE":
                found[key] = question, verdict
    return list(found.values())


def _as_asked(check: Check, baseline_is_bootstrap: bool) -> Check:
    if check.kind == "improvement" and not baseline_is_bootstrap:
        return check.model_copy(update={"blocks": False})
    return check


def _questions(
    check: Check, candidate: EvalReport, baseline: EvalReport, policy: GatePolicy, look: int
) -> Iterator[Question]:
    """One, or one for every slice that is large enough at this look."""
    ours, theirs = _task(check, candidate, "candidate"), _task(check, baseline, "baseline")
    num_planned = len(theirs.sample_ids)
    looks = tuple(n for n in look_counts(num_planned, policy.num_looks) if n <= len(ours.sample_ids))[: look + 1]
    mine, other = _metric(check, ours, "candidate"), _metric(check, theirs, "baseline")
    share = all(value in (0.0, 1.0) for side in (mine, other) for value in side.measured)
    for name, positions in _slices(check, theirs, looks[-1]):
        yield Question(
            check=check,
            candidate=_pick(mine, positions),
            baseline=None if check.is_absolute else _pick(other, positions),
            share=share,
            sources=tuple(theirs.sources[position] for position in positions) if theirs.sources else (),
            slice_name=name,
            looks=looks,
            num_planned=num_planned,
            noise=theirs.noise.get(check.metric),
        )


def _slices(check: Check, task: TaskReport, num_samples: int) -> Iterator[tuple[str | None, Sequence[int]]]:
    if check.by is None:
        yield None, range(num_samples)
        return
    if check.by not in task.slices:
        raise UnknownMetric(
            f"check {check.name!r} slices task {check.task!r} by {check.by!r}, but its report has {sorted(task.slices)}"
        )
    found: dict[str, list[int]] = {}
    for position, name in enumerate(task.slices[check.by][:num_samples]):
        found.setdefault(name, []).append(position)
    for name, positions in sorted(found.items()):
        if len(positions) >= (check.min_samples or 1):
            yield name, positions


def _pick(metric: MetricSamples, positions: Sequence[int]) -> MetricSamples:
    return metric.model_copy(update={"values": tuple(metric.values[position] for position in positions)})


def _metric(check: Check, task: TaskReport, side: str) -> MetricSamples:
    metrics = {metric.name: metric for metric in task.metrics}
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


def _refuse_unlike(candidate: EvalReport, baseline: EvalReport, policy: GatePolicy) -> None:
    differences = [*_plan_differences(candidate, baseline), *_task_differences(candidate, baseline, policy)]
    if differences:
        raise MetricMismatch(
            f"candidate and baseline were not measured alike: {'; '.join(differences)}; evaluate the baseline again"
        )


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
            ("left out", f"{ours.num_left_out} rows", f"{theirs.num_left_out} rows"),
        ):
            if mine != other:
                yield f"task {name} has {what} {mine}, the baseline's was {other}"
        if ours.sample_ids != theirs.sample_ids[: len(ours.sample_ids)]:
            yield f"task {name} asked {_samples_in_words(ours, theirs)}"
        elif len(ours.sample_ids) not in (looks := look_counts(len(theirs.sample_ids), policy.num_looks)):
            yield (
                f"task {name} has {len(ours.sample_ids)} of the baseline's {len(theirs.sample_ids)} samples, and no "
                f"look ends there (they end at {', '.join(map(str, looks))}): the candidate's report was cut short"
            )


def _samples_in_words(ours: TaskReport, theirs: TaskReport) -> str:
    if sorted(ours.sample_ids) == sorted(theirs.sample_ids):
        return "the same samples in another order"
    at = next(
        (n for n, (a, b) in enumerate(zip(ours.sample_ids, theirs.sample_ids, strict=False)) if a != b),
        len(theirs.sample_ids),
    )
    common = len(set(ours.sample_ids) & set(theirs.sample_ids))
    return (
        f"{len(ours.sample_ids)} samples, the baseline's {len(theirs.sample_ids)}, {common} of them in common; "
        f"sample {at + 1} is the first that differs"
    )
