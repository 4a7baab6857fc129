"""evaluate: ask one model every task's rows, and keep what came of each."""

from pathlib import Path

from ratchet.clients.world import World
from ratchet.core.evaluation import EvalReport, MeasuringPlan
from ratchet.core.log import log
from ratchet.core.model_folder import check_model_folder
from ratchet.evaluate.contract import EvalTask, EvaluateInputs, EvaluateOutputs
from ratchet.evaluate.harness import measure
from ratchet.evaluate.report import scores, task_report
from ratchet.evaluate.rows import Row, draw, read_rows
from ratchet.evaluate.task_file import TaskFile, parse_task


def run(inputs: EvaluateInputs, world: World) -> EvaluateOutputs:
    with world.scratch() as scratch:
        asked = [_rows(task, inputs.seed, world, scratch) for task in inputs.tasks]
        model = world.store.fetch_folder(inputs.model, scratch / "model")
        check_model_folder(model)
        measured = measure(
            model,
            asked,
            device=world.settings.device,
            dtype=inputs.dtype,
            batch_size=inputs.batch_size,
            seed=inputs.seed,
        )
    tasks = tuple(
        task_report(file, rows, task.data.sha256, measured.samples[task.name])
        for task, (file, rows) in zip(inputs.tasks, asked, strict=True)
    )
    report = EvalReport(
        model_sha256=inputs.model.sha256,
        chat_template_sha256=measured.chat_template_sha256,
        plan=MeasuringPlan(engine=measured.engine, dtype=inputs.dtype, batch_size=inputs.batch_size, seed=inputs.seed),
        tasks=tasks,
    )
    summary = tuple(score for task in tasks for score in scores(task))
    for score in summary:
        log.info("score", extra=score.model_dump())
    return EvaluateOutputs(report=world.store.put_bytes(report.canonical_json()), scores=summary)


def _rows(task: EvalTask, seed: int, world: World, scratch: Path) -> tuple[TaskFile, list[Row]]:
    file = parse_task(task.name, task.config_yaml)
    path = world.store.fetch_file(task.data, scratch / f"{task.name}.jsonl")
    return file, draw(read_rows(path, file), task.max_samples, seed)
