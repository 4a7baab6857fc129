"""Metrics that lm-eval has only as a task's own code, so that a task file can ask for them by name."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ratchet.evaluate.rows import BadRows
from ratchet.evaluate.task_file import BadTask, TaskFile

MC2 = "mc2"
BUILT_IN = (MC2,)

Scoring = Callable[[Mapping[str, Any], Sequence[tuple[float, bool]]], dict[str, float]]


def scoring(task: TaskFile) -> dict[str, Scoring]:
    """What lm-eval's task settings must say beyond the file: nothing, unless the file asks for one of these.

    Raises BadTask where the metric cannot be computed as the file stands.
    """
    if MC2 not in task.metrics:
        return {}
    labels_field = str(task.config["doc_to_target"])
    if task.config["output_type"] != "multiple_choice" or len(task.metrics) > 1 or labels_field not in task.fields:
        raise BadTask(
            f"task {task.name}: {MC2} needs output_type multiple_choice, a `doc_to_target` that is the field with one "
            "label (1 true, 0 false) a choice, and no other metric beside it"
        )
    return {"process_results": partial(_scores, task.name, labels_field)}


def mc2(log_likelihoods: Sequence[float], labels: Sequence[int]) -> float:
    """The share of the choices' probability that lies on the true ones, 0 to 1.

    lm-eval's own truthfulqa_mc2 is not a number where all probabilities are too small for a float; this is.
    Source: Lin, Hilton, Evans 2022, TruthfulQA: Measuring How Models Mimic Human Falsehoods, section 3.2.
    """
    most = max(log_likelihoods)
    weights = [math.exp(each - most) for each in log_likelihoods]
    return math.fsum(w for w, label in zip(weights, labels, strict=True) if label == 1) / math.fsum(weights)


def _scores(
    task: str, labels_field: str, row: Mapping[str, Any], answers: Sequence[tuple[float, bool]]
) -> dict[str, float]:
    labels = row[labels_field]
    if len(labels) != len(answers) or not set(labels) <= {0, 1} or 1 not in labels:
        raise BadRows(
            f"task {task}, row {row.get('id', row)}: {labels_field}: expected {len(answers)} labels of 1 and 0, one a "
            f"choice and at least one of them 1, got {labels}"
        )
    return {MC2: mc2([log_likelihood for log_likelihood, _ in answers], labels)}
