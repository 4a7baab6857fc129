"""validate: which rows are fit for training, which are not and why, and whether the batch as a whole is."""

from typing import Literal

from pydantic import Field, NonNegativeInt

from ratchet.core.contract import Contract
from ratchet.core.refs import FileRef


class DataRules(Contract):
    """The expectation suite by value (JSON of a Great Expectations suite), and the limits on what may be rejected."""

    suite_json: str
    text_characters: tuple[int, int] = (10, 4096)
    label_characters: tuple[int, int] = (1, 8192)
    quality_score: tuple[float, float] = (0.6, 1.0)
    min_rows: int = Field(default=200, ge=1)
    min_labels: int = Field(default=2, ge=2)
    max_quarantined_share: float = Field(default=0.3, ge=0.0, le=1.0)


class ValidateInputs(Contract):
    """`upload` is CSV or JSON lines. Columns that are not named are found: see validate/columns.py."""

    contract_version: int = 1
    upload: FileRef
    file_name: str
    text_column: str | None = None
    label_column: str | None = None
    rules: DataRules


class ReasonCount(Contract):
    """One reason for quarantine: the rule in words, how many rows, and up to three row numbers to look at."""

    reason: str
    rule: str
    num_rows: NonNegativeInt
    examples: tuple[int, ...]


class ValidateOutputs(Contract):
    """`accepted` holds JSON lines of core.datasets.Row; `quarantine` every rejected row with its number and reasons.

    `refusals` says why the batch as a whole is not acceptable; empty when it is.
    """

    contract_version: int = 1
    status: Literal["ACCEPTED", "REFUSED"]
    accepted: FileRef
    quarantine: FileRef
    receipt: FileRef
    num_read: NonNegativeInt
    num_accepted: NonNegativeInt
    num_quarantined: NonNegativeInt
    num_labels: NonNegativeInt
    reasons: tuple[ReasonCount, ...]
    refusals: tuple[str, ...]
