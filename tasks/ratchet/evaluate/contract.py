"""evaluate: one model's scores on the recipe's tasks, per sample, by lm-eval."""

from typing import Literal

from pydantic import Field, PositiveInt

from ratchet.core.checks import GatePolicy
from ratchet.core.contract import Contract, Name
from ratchet.core.evaluation import Score
from ratchet.core.refs import FileRef, FolderRef


class EvalTask(Contract):
    """One lm-eval task: its YAML by value (without dataset paths) and the JSON lines that it asks.

    `planted`: the training set holds these rows on purpose, so none of them is left out.
    """

    name: Name
    config_yaml: str
    data: FileRef
    max_samples: PositiveInt | None = None
    planted: bool = False


class Stopping(Contract):
    """When a candidate has been measured enough: core.comparison asks this of its report and the baseline's."""

    baseline_report: FileRef
    policy: GatePolicy
    baseline_is_bootstrap: bool


class EvaluateInputs(Contract):
    """Rows are asked in `num_looks` equal parts, all of them unless `stopping` ends it.

    `trained_on` is prepare's training set: rows that it holds, or nearly asks, are left out for both models.
    Two reports can be compared only if both were measured in the same parts, by the same engine.
    """

    contract_version: int = 4
    model: FolderRef
    tasks: tuple[EvalTask, ...] = Field(min_length=1)
    num_looks: PositiveInt = 1
    stopping: Stopping | None = None
    trained_on: FileRef | None = None
    engine: Literal["transformers", "vllm"] = "transformers"
    batch_size: PositiveInt = 32
    dtype: str = "float32"
    seed: int = 0


class EvaluateOutputs(Contract):
    """`report` is a core.evaluation.EvalReport. `num_measured` of `num_samples` were asked.

    `baseline_scores` are the baseline's on the very samples that were measured; empty without `stopping`.
    """

    contract_version: int = 2
    report: FileRef
    scores: tuple[Score, ...]
    baseline_scores: tuple[Score, ...]
    num_samples: PositiveInt
    num_measured: PositiveInt
