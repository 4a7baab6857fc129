"""The evaluation report: one model's per-sample results, complete enough to judge it again without the model."""

from collections import Counter
from collections.abc import Mapping
from statistics import fmean
from typing import Any, Self

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError, model_validator

from ratchet.core.contract import Contract, Sha256, digest_json
from ratchet.core.errors import TerminalError


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
    Rows were left out: `num_overlapping`, since the training holds them word for word, and `num_near_duplicates` others
    that it asks in almost the same words. `noise`: per metric, by how much a sample's value differs on average when the
    first samples are measured again in other batches. `slices`: by what the samples are sliced → the slice of each;
    `sources`: what each sample comes from, where samples share sources.
    """

    name: str
    version: str
    config_sha256: Sha256
    data_sha256: Sha256
    sample_ids: tuple[str, ...] = Field(min_length=1)
    metrics: tuple[MetricSamples, ...]
    answers: tuple[str, ...] = ()
    num_overlapping: NonNegativeInt = 0
    num_near_duplicates: NonNegativeInt = 0
    noise: dict[str, float] = Field(default_factory=dict)
    slices: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    sources: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _each_sample_once_everywhere(self) -> Self:
        """Raises ValueError for a report that was cut short, or that counts a sample twice."""
        num_samples = len(self.sample_ids)
        if twice := [name for name, count in Counter(self.sample_ids).items() if count > 1]:
            position = self.sample_ids.index(twice[0])
            raise ValueError(f"task {self.name}: sample {position + 1} ({twice[0]}) is there more than once")
        columns: dict[str, tuple[Any, ...]] = {f"metric {metric.name}": metric.values for metric in self.metrics}
        columns |= {f"slices by {name}": values for name, values in self.slices.items()}
        columns |= {"answers": self.answers} if self.answers else {}
        columns |= {"sources": self.sources} if self.sources else {}
        for name, values in columns.items():
            if len(values) != num_samples:
                raise ValueError(f"task {self.name}: {name} ends at sample {len(values)}, expected {num_samples}")
        return self

    @property
    def num_left_out(self) -> int:
        return self.num_overlapping + self.num_near_duplicates

    def first(self, num_samples: int) -> Self:
        """The report of the first samples alone."""
        return self.model_copy(
            update={
                "sample_ids": self.sample_ids[:num_samples],
                "metrics": tuple(m.model_copy(update={"values": m.values[:num_samples]}) for m in self.metrics),
                "answers": self.answers[:num_samples],
                "slices": {name: slices[:num_samples] for name, slices in self.slices.items()},
                "sources": self.sources[:num_samples],
            }
        )

    def answer_of(self) -> dict[str, str]:
        """sample id → the model's text."""
        return dict(zip(self.sample_ids, self.answers, strict=False))


class MeasuringPlan(Contract):
    """What must be equal for two reports to be comparable. `engine` names packages, versions and device.

    Batches never reach over a look, so reports in as many looks were measured in the same batches.
    """

    engine: str
    dtype: str
    batch_size: PositiveInt
    num_looks: PositiveInt = 1
    seed: int


class EvalReport(Contract):
    contract_version: int = 1
    model_sha256: Sha256
    chat_template_sha256: Sha256
    plan: MeasuringPlan
    tasks: tuple[TaskReport, ...]


class BadReport(TerminalError, ValueError):
    """A per-sample report that cannot be read, or that does not hold together."""

    code = "GATE_MISSING_EVIDENCE"


def parse_report(data: bytes, what: str) -> EvalReport:
    """`what`: whose report, for the message. Raises BadReport, naming the field or the sample."""
    try:
        return EvalReport.model_validate_json(data)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors()[:3])
        raise BadReport(f"{what} ({len(data):,} bytes) is no evaluation report: {problems}; evaluate again") from error


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
