"""validate: which rows are fit for training, which are not and why, and whether the batch as a whole is."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from ratchet.core.classifier import Classifier
from ratchet.core.contract import Contract, Name
from ratchet.core.drift import Shift
from ratchet.core.refs import FileRef, FolderRef

# "redact" keeps a row without what was found in it.
Action = Literal["quarantine", "redact", "warn", "off"]


class DataRules(Contract):
    """The expectation suite by value (JSON of a Great Expectations suite), and the limits on what may be rejected.

    `actions` says by the rule's name what happens to rows that break it, where that is not the rule's own default.
    `phone_regions`: countries (ISO 3166) whose phone numbers are also found without a country code.
    `languages`: of the texts, ISO 639-1; with none of them nothing is looked for.
    `source_columns`: the first of these that a file has says where each row comes from; it is not kept.
    `toxicity`: who is asked whether texts are harmful, and sees all of them; nobody, unless named.
    `max_upload_bytes` is of the upload once unpacked.
    """

    suite_json: str
    actions: dict[str, Action] = Field(default={})
    text_characters: tuple[int, int] = (10, 4096)
    label_characters: tuple[int, int] = (1, 8192)
    quality_score: tuple[float, float] = (0.6, 1.0)
    phone_regions: tuple[str, ...] = ("US", "GB")
    languages: tuple[str, ...] = ()
    source_columns: tuple[str, ...] = ("source", "user", "author", "origin")
    toxicity: Classifier | None = None
    min_rows: int = Field(default=200, ge=1)
    min_labels: int = Field(default=2, ge=2)
    max_quarantined_share: float = Field(default=0.3, ge=0.0, le=1.0)
    max_upload_bytes: int = Field(default=16 << 30, ge=1)


class EvaluationSet(Contract):
    """JSON lines of what a check asks; each text in them counts as a question."""

    name: Name
    data: FileRef


class ValidateInputs(Contract):
    """`upload` is CSV, JSON lines or Parquet: see validate/formats.py. Columns that are not named are found: see
    validate/columns.py.

    `previous` has the rows of the dataset version that the upload would be added to, `usual_shifts` how far each
    feature moved in the uploads before (core.drift). No row may hold a question of
    `evaluation_sets`. Tokens are counted as prepare does, with `prompt` and the tokenizer of `base`, and not at all
    without a base.
    """

    contract_version: int = 4
    upload: FileRef
    file_name: str
    text_column: str | None = None
    label_column: str | None = None
    previous: FileRef | None = None
    usual_shifts: dict[str, tuple[float, ...]] = Field(default={})
    evaluation_sets: tuple[EvaluationSet, ...] = ()
    base: FolderRef | None = None
    prompt: str = "{text}"
    max_seq_len_tokens: int = Field(default=256, ge=8)
    rules: DataRules


class Example(Contract):
    """A row to look at; `text` is the beginning of what it says, on one line, or None where that is private."""

    row: int
    text: str | None = None


class ReasonCount(Contract):
    """One rule: in words, what happens to rows that break it, how many did, and up to three of these to look at."""

    reason: str
    rule: str
    action: Action
    num_rows: NonNegativeInt
    examples: tuple[Example, ...]


class Side(Contract):
    """Lengths are in characters of the text. `num_repeated`: rows that equal an earlier one of the same side."""

    num_rows: NonNegativeInt
    num_repeated: NonNegativeInt
    num_labels: NonNegativeInt
    median_length: NonNegativeFloat
    p95_length: NonNegativeFloat


class Changes(Contract):
    """The accepted rows against the version they would be added to. Of new and absent labels the first ten by name."""

    upload: Side
    version: Side
    num_new_rows: NonNegativeInt
    num_new_labels: NonNegativeInt
    new_labels: tuple[str, ...]
    num_absent_labels: NonNegativeInt
    absent_labels: tuple[str, ...]
    shifts: tuple[Shift, ...]


class ValidateOutputs(Contract):
    """`accepted` holds JSON lines of core.datasets.Row; `quarantine` every rejected row with its number and reasons.

    `page` is the receipt for people, one HTML file.

    Of the accepted rows `num_redacted` had something in them replaced, and `num_warned` break a rule that only warns.
    `refusals` says why the batch as a whole is not acceptable; empty when it is.
    """

    contract_version: int = 5
    status: Literal["ACCEPTED", "REFUSED"]
    accepted: FileRef
    quarantine: FileRef
    receipt: FileRef
    page: FileRef
    num_read: NonNegativeInt
    num_accepted: NonNegativeInt
    num_quarantined: NonNegativeInt
    num_redacted: NonNegativeInt
    num_warned: NonNegativeInt
    num_labels: NonNegativeInt
    reasons: tuple[ReasonCount, ...]
    changes: Changes | None
    refusals: tuple[str, ...]
