"""prepare: accepted rows become chat examples, split for ever into train, validation and test."""

from pydantic import Field, NonNegativeInt

from ratchet.core.contract import Contract
from ratchet.core.refs import FileRef, FolderRef


class SplitPolicy(Contract):
    """Shares of the hash space. Changing `salt` or a share moves rows between sides: never do it on a living line."""

    salt: str = "ratchet-1"
    test_share: float = Field(default=0.25, gt=0.0, lt=1.0)
    validation_share: float = Field(default=0.05, gt=0.0, lt=1.0)


class PrepareInputs(Contract):
    """`prompt` has one field, {text}. `replay_exclude` holds the canary's questions, never to be trained on."""

    contract_version: int = 1
    rows: FileRef
    base: FolderRef
    prompt: str
    split: SplitPolicy
    replay_share: float = Field(ge=0.0, lt=1.0)
    replay_exclude: FileRef
    max_seq_len_tokens: int = Field(ge=8)
    max_examples_per_label: int | None = Field(default=None, ge=1)
    seed: int


class PrepareOutputs(Contract):
    """`train` and `validation`: JSON lines {"prompt": [message], "completion": [message]} as TRL reads them.

    `test`: JSON lines {"id", "prompt", "answer"}; `prompt` is the user message's text.
    """

    contract_version: int = 1
    train: FileRef
    validation: FileRef
    test: FileRef
    labels: tuple[str, ...]
    num_train: NonNegativeInt
    num_replay: NonNegativeInt
    num_validation: NonNegativeInt
    num_test: NonNegativeInt
    num_duplicates: NonNegativeInt
    num_conflicting: NonNegativeInt
    num_too_long: NonNegativeInt
    num_train_tokens: NonNegativeInt
    num_answer_tokens: NonNegativeInt
