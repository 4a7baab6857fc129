"""The evaluation report: one model's per-sample results, complete enough to judge it again without the model."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from pydantic import Field, PositiveInt

from ratchet.core.contract import Contract, Sha256, digest_json


class MetricSamples(Contract):
    """One metric of one task, a value per sample, in the order of the task's `sample_ids`.

    None stands where no finite number came out: it is kept, so that the gate can refuse to judge.
    """

    name: str
    higher_is_better: bool
    values: tuple[float | None, ...] = Field(min_length=1)

    @property
    def measured(self) -> tuple[float, ...]:
        return tuple(value for value in self.values if value is not None)

    @property
    def mean(self) -> float:
        """Of what was measured. Raises statistics.StatisticsError when nothing was."""
        return fmean(self.measured)


class TaskReport(Contract):
    """One task. Samples are aligned between two reports by `sample_ids`.

    `answers` is the model's text for each sample of a generation task, before any filter; empty for other tasks.
    """

    name: str
    version: str
    config_sha256: Sha256
    data_sha256: Sha256
    sample_ids: tuple[str, ...] = Field(min_length=1)
    metrics: tuple[MetricSamples, ...]
    answers: tuple[str, ...] = ()

    def answer_of(self) -> dict[str, str]:
        """sample id → the model's text."""
        return dict(zip(self.sample_ids, self.answers, strict=False))


class MeasuringPlan(Contract):
    """What must be equal for two reports to be comparable. `engine` names packages, versions and device."""

    engine: str
    dtype: str
    batch_size: PositiveInt
    seed: int


class EvalReport(Contract):
    contract_version: int = 1
    model_sha256: Sha256
    chat_template_sha256: Sha256
    plan: MeasuringPlan
    tasks: tuple[TaskReport, ...]


class Score(Contract):
    """The summary of one metric, small enough to travel between steps."""

    task: str
    metric: str
    value: float
    stderr: float
    num_samples: int


def sample_id(document: Mapping[str, Any]) -> str:
    """Names one row of a task's data by its content, e.g. a row {"id", "prompt", "answer"} of prepare's test split."""
    return digest_json(dict(document))
