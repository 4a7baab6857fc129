"""evaluate: one model's scores on the recipe's tasks, per sample, by lm-eval."""

from pydantic import Field, PositiveInt

from ratchet.core.contract import Contract, Name
from ratchet.core.evaluation import Score
from ratchet.core.refs import FileRef, FolderRef


class EvalTask(Contract):
    """One lm-eval task: its YAML by value (without dataset paths) and the JSON lines that it asks."""

    name: Name
    config_yaml: str
    data: FileRef
    max_samples: PositiveInt | None = None


class EvaluateInputs(Contract):
    contract_version: int = 1
    model: FolderRef
    tasks: tuple[EvalTask, ...] = Field(min_length=1)
    batch_size: PositiveInt = 32
    dtype: str = "float32"
    seed: int = 0


class EvaluateOutputs(Contract):
    """`report` is a core.evaluation.EvalReport."""

    contract_version: int = 1
    report: FileRef
    scores: tuple[Score, ...]
