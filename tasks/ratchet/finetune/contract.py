"""finetune: NF4 QLoRA of the base on the training rows; out come the adapter and the merged model."""

import math
from typing import Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from ratchet.core.contract import Contract, Name
from ratchet.core.refs import FileRef, FolderRef


class QloraSettings(Contract):
    """Upstream's names (PEFT, TRL). An optimizer step takes `batch_size` sequences.

    `micro_batch_size` of them are on the device at a time (default: all); it must divide `batch_size`. The rows of a
    batch are of similar length, so that next to nothing is padding.
    """

    r: PositiveInt = 32
    lora_alpha: PositiveInt = 64
    lora_dropout: NonNegativeFloat = 0.0
    learning_rate: PositiveFloat = 1.5e-3
    batch_size: PositiveInt = 20
    micro_batch_size: PositiveInt | None = None
    gradient_checkpointing: bool = False
    num_train_epochs: PositiveFloat = 2.5
    warmup_steps: NonNegativeInt = 10
    max_seq_len_tokens: PositiveInt = 256
    save_steps: PositiveInt = 25
    seed: int = 0
    min_loss_drop: float = Field(default=0.1, ge=0.0, lt=1.0, description="share of the first loss that must be gone")

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        if self.batch_size % (self.micro_batch_size or self.batch_size):
            raise ValueError(f"micro_batch_size {self.micro_batch_size} must divide batch_size {self.batch_size}")
        return self

    def num_steps(self, num_rows: int) -> int:
        return math.ceil(num_rows * self.num_train_epochs / self.batch_size)


class FinetuneInputs(Contract):
    contract_version: int = 1
    line: Name
    base: FolderRef
    train: FileRef
    validation: FileRef
    method: QloraSettings


class FinetuneOutputs(Contract):
    """`training_log`: JSON lines of {"step", "at_ms", "metrics": {name: value}}; the tracking server is fed from it."""

    contract_version: int = 1
    adapter: FolderRef
    model: FolderRef
    training_log: FileRef
    num_steps: PositiveInt
    first_loss: float
    last_loss: float
    validation_loss: float
    num_trainable_parameters: PositiveInt
    tokens_per_second: float
    num_resumes: NonNegativeInt
    merge_max_logit_difference: float
