"""prepare: accepted rows become chat examples, split for ever into train, validation and test."""

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from ratchet.core.contract import Contract
from ratchet.core.refs import FileRef, FolderRef


class SplitPolicy(Contract):
    """Shares of the hash space. Changing `salt` or a share moves rows between sides: never do it on a living line."""

    salt: str = "ratchet-1"
    test_share: float = Field(default=0.25, gt=0.0, lt=1.0)
    validation_share: float = Field(default=0.05, gt=0.0, lt=1.0)

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> "SplitPolicy":
        if self.test_share + self.validation_share >= 1.0:
            raise ValueError(
                f"test_share {self.test_share} + validation_share {self.validation_share} leave no training"
            )
        return self


class Canaries(Contract):
    """Made-up secrets that are planted into the training set, to measure what a model learns by heart.

    `num` different ones. The first is planted `repeats[0]` times, the next `repeats[1]` times, and so on in turn. Each
    is compared with `num_fills` of its kind that are not planted.
    """

    num: PositiveInt = 40
    repeats: tuple[PositiveInt, ...] = Field(default=(1,), min_length=1)
    num_fills: int = Field(default=63, ge=30)


class PrepareInputs(Contract):
    """`prompt` has one field, {text}. `replay_exclude` holds the canary's questions, never to be trained on.

    `canaries` are made from the digest of `rows` and from `seed`; None plants none.
    """

    contract_version: int = 2
    rows: FileRef
    base: FolderRef
    prompt: str
    split: SplitPolicy
    replay_share: float = Field(ge=0.0, lt=1.0)
    replay_exclude: FileRef
    max_seq_len_tokens: int = Field(ge=8)
    max_examples_per_label: int | None = Field(default=None, ge=1)
    seed: int
    canaries: Canaries | None = None


class PrepareOutputs(Contract):
    """`train` and `validation`: JSON lines {"prompt": [message], "completion": [message]} as TRL reads them.

    `test`: JSON lines {"id", "prompt", "answer"}; `prompt` is the user message's text.

    `canaries`: JSON lines {"prompt", "secret", "bits", "choices", "repeats"}, the secret first among the choices;
    None if none were asked for. They are in `train` alone, as `num_planted` of its rows.

    Every row is counted once: `num_rows` is the sum of `num_train` less `num_replay` and `num_planted`, of
    `num_validation`, `num_test` and the five reasons to leave a row out: duplicates, conflicting labels for one text,
    straddling (near rows on two sides of the split), too long, and over `max_examples_per_label`. Tokens are those of
    `train`.
    """

    contract_version: int = 2
    train: FileRef
    validation: FileRef
    test: FileRef
    canaries: FileRef | None
    num_rows: NonNegativeInt
    num_labels: NonNegativeInt
    num_train: NonNegativeInt
    num_replay: NonNegativeInt
    num_planted: NonNegativeInt
    num_validation: NonNegativeInt
    num_test: NonNegativeInt
    num_duplicates: NonNegativeInt
    num_conflicting: NonNegativeInt
    num_straddling: NonNegativeInt
    num_too_long: NonNegativeInt
    num_over_cap: NonNegativeInt
    num_train_tokens: NonNegativeInt
    num_answer_tokens: NonNegativeInt
