"""lm-eval on one model folder: local files only, no code that comes with a model, no cache, nothing on stdout."""

import contextlib
import hashlib
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ratchet.core.log import log
from ratchet.core.telemetry import span
from ratchet.evaluate.built_in import BUILT_IN, scoring
from ratchet.evaluate.engines import Engine, batch_size_of, load_lm, packages, set_batch_size
from ratchet.evaluate.rows import Row
from ratchet.evaluate.task_file import BadTask, TaskFile, nearest
from ratchet.evaluate.text_metrics import TEXT_METRICS

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}
# lm-eval wants at least one metric of its own; what it finds is left aside where the task does not ask for it.
_ANY_METRIC = {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}


@dataclass(frozen=True)
class LoadedModel:
    """`engine` names what measures."""

    lm: Any
    seed: int
    engine: str
    chat_template_sha256: str

    def ask_in_other_batches(self, tasks: Sequence[tuple[TaskFile, Sequence[Row]]]) -> dict[str, list[dict[str, Any]]]:
        """The same in half the batch size: what comes out differently is noise of measuring."""
        planned, size = self.lm.planned, batch_size_of(self.lm)
        self.lm.planned += sum(len(rows) for _, rows in tasks)
        set_batch_size(self.lm, max(1, size // 2))
        try:
            return self.ask(tasks)
        finally:
            self.lm.planned = planned
            set_batch_size(self.lm, size)

    def ask(self, tasks: Sequence[tuple[TaskFile, Sequence[Row]]]) -> dict[str, list[dict[str, Any]]]:
        """Per task lm-eval's record of each row, in the order of the rows, asked in the model's own chat template."""
        with contextlib.redirect_stdout(sys.stderr):
            import lm_eval
            import torch
            from lm_eval.tasks import TaskManager

            records = {}
            for task, rows in tasks:  # one by one: together, tasks would share batches, and some end before others
                torch.manual_seed(self.seed)
                results = lm_eval.evaluate(
                    self.lm,
                    TaskManager(include_defaults=False).load([_task_config(task, rows)]),
                    apply_chat_template=True,
                    log_samples=True,
                    bootstrap_iters=0,
                )
                records[task.name] = sorted(results["samples"][task.name], key=lambda record: record["doc_id"])
        return records


@span("load model")
def load(
    model: Path,
    tasks: Sequence[tuple[TaskFile, list[Row]]],
    *,
    engine: Engine,
    device: str,
    dtype: str,
    batch_size: int,
    seed: int,
) -> LoadedModel:
    """Have the model ready for the tasks. Raises UnusableModel, BadTask."""
    os.environ.update(OFFLINE)
    with contextlib.redirect_stdout(sys.stderr):
        import lm_eval.api.metrics  # noqa: F401 - it makes the loggers, and the table of metrics

        for name in ("lm_eval", "transformers", "datasets", "vllm"):
            logging.getLogger(name).setLevel(logging.ERROR)
        _check_metrics([task for task, _ in tasks])
        lm = load_lm(engine, model, device=device, dtype=dtype, batch_size=batch_size, seed=seed)
    lm.planned = sum(len(rows) for _, rows in tasks)
    log.info("model loaded", extra={"device": device, "num_samples": lm.planned})
    return LoadedModel(
        lm=lm,
        seed=seed,
        engine=" ".join([*(f"{name} {version(name)}" for name in packages(engine)), device]),
        chat_template_sha256=hashlib.sha256(lm.tokenizer.chat_template.encode()).hexdigest(),
    )


def _check_metrics(tasks: Sequence[TaskFile]) -> None:
    """lm-eval looks for an unknown metric on the hub, and goes on without it when there is none. Ours go first."""
    from lm_eval.api.registry import metric_registry

    known = sorted({*metric_registry.keys(), *BUILT_IN, *TEXT_METRICS})
    for task in tasks:
        scoring(task)
        for name in task.metrics:
            if name not in known:
                close = nearest(name, known)
                raise BadTask(f"task {task.name}: lm-eval has no metric {name!r}{close}; there are {known}")


def _task_config(task: TaskFile, rows: Sequence[Row]) -> dict[str, Any]:
    """The task file, with its rows handed over in memory: no data set cache that could hold another task's rows."""
    from datasets import Dataset

    theirs = [row for row in task.config["metric_list"] if row["metric"] not in TEXT_METRICS]
    return {
        **task.config,
        "metric_list": theirs or [_ANY_METRIC],
        **scoring(task),
        "custom_dataset": lambda **_: {"test": Dataset.from_list(list(rows))},
        "test_split": "test",
        "num_fewshot": 0,
    }
