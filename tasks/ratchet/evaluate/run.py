"""evaluate: ask one model the tasks' rows, until enough is known, and keep what came of each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ratchet.clients.world import World
from ratchet.core.comparison import open_tasks
from ratchet.core.evaluation import EvalReport, MeasuringPlan, Score, parse_report
from ratchet.core.log import log
from ratchet.core.model_folder import check_model_folder
from ratchet.evaluate.contract import EvalTask, EvaluateInputs, EvaluateOutputs
from ratchet.evaluate.harness import LoadedModel, load
from ratchet.evaluate.looks import Part, Records, first_look, measure_in_looks
from ratchet.evaluate.near import near_duplicates
from ratchet.evaluate.overlap import overlapping
from ratchet.evaluate.report import noise, scores, task_report
from ratchet.evaluate.rows import BadRows, Row, in_order, read_rows
from ratchet.evaluate.task_file import TaskFile, parse_task


@dataclass(frozen=True)
class Questions:
    """What one task asks, in this order; `num_overlapping` and `num_near_duplicates` rows were left out."""

    file: TaskFile
    rows: list[Row]
    data_sha256: str
    num_overlapping: int
    num_near_duplicates: int


Asked = dict[str, Questions]  # by the task's name


def run(inputs: EvaluateInputs, world: World) -> EvaluateOutputs:
    baseline = _baseline(inputs, world)
    with world.scratch() as scratch:
        asked = _asked(inputs, world, scratch)
        tasks = {name: (questions.file, questions.rows) for name, questions in asked.items()}
        folder = world.store.fetch_folder(inputs.model, scratch / "model")
        check_model_folder(folder)
        model = load(
            folder,
            list(tasks.values()),
            engine=inputs.engine,
            device=world.settings.device,
            dtype=inputs.dtype,
            batch_size=inputs.batch_size,
            seed=inputs.seed,
        )
        report_of = partial(_report, inputs, asked, model)
        records = measure_in_looks(tasks, inputs.num_looks, model.ask, _still_open(inputs, baseline, report_of))
        report = report_of(records)
        if baseline is None and inputs.num_looks > 1 and inputs.batch_size > 1:
            report = _with_noise(report, first_look(tasks, inputs.num_looks), records, model)
    summary = tuple(score for task in report.tasks for score in scores(task))
    for score in summary:
        log.info("score", extra=score.model_dump())
    return EvaluateOutputs(
        report=world.store.put_bytes(report.canonical_json()),
        scores=summary,
        baseline_scores=_on_the_same_samples(baseline, report) if baseline else (),
        num_samples=sum(len(questions.rows) for questions in asked.values()),
        num_measured=sum(len(task.sample_ids) for task in report.tasks),
    )


def _baseline(inputs: EvaluateInputs, world: World) -> EvalReport | None:
    if inputs.stopping is None:
        return None
    return parse_report(world.store.read_bytes(inputs.stopping.baseline_report), "the baseline's report")


def _still_open(
    inputs: EvaluateInputs, baseline: EvalReport | None, report_of: Callable[[Records], EvalReport]
) -> Callable[[Records], set[str]]:
    """The stopping rule: the gate's own judgement of what is measured so far. Without it, all is measured."""
    stopping = inputs.stopping
    if stopping is None or baseline is None:
        return set

    def still_open(records: Records) -> set[str]:
        bootstrap = stopping.baseline_is_bootstrap
        return open_tasks(report_of(records), baseline, stopping.policy, baseline_is_bootstrap=bootstrap)

    return still_open


def _with_noise(report: EvalReport, part: Part, records: Records, model: LoadedModel) -> EvalReport:
    """The A/A run: the first look once more, in other batches."""
    again = model.ask_in_other_batches(part)
    found = {file.name: noise(file, records[file.name][: len(rows)], again[file.name]) for file, rows in part}
    log.info("measured twice", extra={"noise": found})
    tasks = tuple(task.model_copy(update={"noise": found[task.name]}) for task in report.tasks)
    return report.model_copy(update={"tasks": tasks})


def _on_the_same_samples(baseline: EvalReport, report: EvalReport) -> tuple[Score, ...]:
    num_samples = {task.name: len(task.sample_ids) for task in report.tasks}
    return tuple(score for task in baseline.tasks for score in scores(task.first(num_samples[task.name])))


def _report(inputs: EvaluateInputs, asked: Asked, model: LoadedModel, records: Records) -> EvalReport:
    """Of what is measured so far."""
    return EvalReport(
        model_sha256=inputs.model.sha256,
        chat_template_sha256=model.chat_template_sha256,
        plan=MeasuringPlan(
            engine=model.engine,
            dtype=inputs.dtype,
            batch_size=inputs.batch_size,
            num_looks=inputs.num_looks,
            seed=inputs.seed,
        ),
        tasks=tuple(
            task_report(
                q.file,
                q.rows[: len(records[name])],
                q.data_sha256,
                records[name],
                num_overlapping=q.num_overlapping,
                num_near_duplicates=q.num_near_duplicates,
            )
            for name, q in asked.items()
        ),
    )


def _asked(inputs: EvaluateInputs, world: World, scratch: Path) -> Asked:
    files = {task.name: parse_task(task.name, task.config_yaml) for task in inputs.tasks}
    rows = {
        task.name: read_rows(world.store.fetch_file(task.data, scratch / f"{task.name}.jsonl"), files[task.name])
        for task in inputs.tasks
    }
    held: dict[str, set[int]] = {name: set() for name in rows}
    near = held
    if inputs.trained_on:
        training = world.store.fetch_file(inputs.trained_on, scratch / "train.jsonl")
        meant_unseen = {task.name: rows[task.name] for task in inputs.tasks if not task.planted}
        held = {**held, **overlapping(meant_unseen, training)}
        near = {**near, **near_duplicates(meant_unseen, training)}
    return {
        task.name: _questions(task, files[task.name], rows[task.name], held[task.name], near[task.name], inputs)
        for task in inputs.tasks
    }


def _questions(
    task: EvalTask, file: TaskFile, rows: list[Row], held: set[int], near: set[int], inputs: EvaluateInputs
) -> Questions:
    unseen = [row for position, row in enumerate(rows) if position not in held | near]
    if held | near:
        counts = {"num_rows": len(held), "num_near_duplicates": len(near - held)}
        log.warning("rows that the training holds are left out", extra={"task": task.name, **counts})
    if not unseen:
        raise BadRows(f"task {task.name}: the training set holds all {len(rows)} rows, so nothing is left to measure")
    drawn = in_order(unseen, task.max_samples, inputs.seed)
    return Questions(file, drawn, task.data.sha256, len(held), len(near - held))
