"""Evaluation reports made by hand: a task is a list of 0-1 values, or several metrics of it."""

from collections.abc import Mapping, Sequence

from ratchet.core.contract import digest_json
from ratchet.core.evaluation import EvalReport, MeasuringPlan, MetricSamples, TaskReport

PLAN = MeasuringPlan(engine="lm-eval 0.4.13 cpu", dtype="float32", batch_size=32, seed=0)


def task(name: str, values: Sequence[float | None], metric: str = "exact_match", **fields: object) -> TaskReport:
    settings = {
        "version": "1",
        "config_sha256": digest_json([name, "config"]),
        "data_sha256": digest_json([name, "data"]),
        "sample_ids": tuple(f"{name}-{index}" for index in range(len(values))),
    }
    metrics = (MetricSamples(name=metric, higher_is_better=True, values=tuple(values)),)
    return TaskReport.model_validate({"name": name, "metrics": metrics, **settings, **fields})


def report(*tasks: TaskReport, plan: Mapping[str, object] | None = None, template: str = "chatml") -> EvalReport:
    return EvalReport(
        model_sha256=digest_json([each.name for each in tasks]),
        chat_template_sha256=digest_json(template),
        plan=PLAN.model_copy(update=dict(plan or {})),
        tasks=tasks,
    )


def paired(gained: int, lost: int, num_samples: int, right_on_both: int = 0) -> tuple[list[float], list[float]]:
    """Candidate's and baseline's values with so many samples that only one of them gets right."""
    ties = [1.0] * right_on_both + [0.0] * (num_samples - right_on_both - gained - lost)
    return ties + [1.0] * gained + [0.0] * lost, ties + [0.0] * gained + [1.0] * lost
