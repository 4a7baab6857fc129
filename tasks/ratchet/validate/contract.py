"""validate: which rows are fit for training, which are not and why, and whether the batch as a whole is."""

from typing import Literal

from pydantic import Field, NonNegativeInt

from ratchet.core.contract import Contract
from ratchet.core.refs import FileRef

Action = Literal["quarantine", "warn", "off"]


class DataRules(Contract):
    """The expectation suite by value (JSON of a Great Expectations suite), and the limits on what may be rejected.

    `actions` says by the rule's name what happens to rows that break it, where that is not the rule's own default.
    """

    suite_json: str
    actions: dict[str, Action] = Field(default={})
    text_characters: tuple[int, int] = (10, 4096)
    label_characters: tuple[int, int] = (1, 8192)
    quality_score: tuple[float, float] = (0.6, 1.0)
    min_rows: int = Field(default=200, ge=1)
    min_labels: int = Field(default=2, ge=2)
    max_quarantined_share: float = Field(default=0.3, ge=0.0, le=1.0)


class ValidateInputs(Contract):
    """`upload` is CSV or JSON lines. Columns that are not named are found: see validate/columns.py.

    `previous` has the rows of the dataset version that the upload would be added to.
    """

    contract_version: int = 2
    upload: FileRef
    file_name: str
    text_column: str | None = None
    label_column: str | None = None
    previous: FileRef | None = None
    rules: DataRules


class ReasonCount(Contract):
    """One rule: in words, what happens to rows that break it, how many did, and up to three row numbers to look at."""

    reason: str
    rule: str
    action: Action
    num_rows: NonNegativeInt
    examples: tuple[int, ...]


class ValidateOutputs(Contract):
    """`accepted` holds JSON lines of core.datasets.Row; `quarantine` every rejected row with its number and reasons.

    `num_warned` of the accepted rows break a rule that only warns.
    `refusals` says why the batch as a whole is not acceptable; empty when it is.
    """

    contract_version: int = 2
    status: Literal["ACCEPTED", "REFUSED"]
    accepted: FileRef
    quarantine: FileRef
    receipt: FileRef
    num_read: NonNegativeInt
    num_accepted: NonNegativeInt
    num_quarantined: NonNegativeInt
    num_warned: NonNegativeInt
    num_labels: NonNegativeInt
    reasons: tuple[ReasonCount, ...]
    refusals: tuple[str, ...]
