"""A dataset version: immutable rows, named by digest, with where they came from."""

from typing import Literal

from pydantic import AwareDatetime, NonNegativeInt

from ratchet.core.contract import Contract
from ratchet.core.refs import FileRef


class DatasetVersion(Contract):
    """One record of a dataset's journal. `rows` is JSON lines of `Row`; its sha256 names the version.

    `num_quarantined` counts over all uploads, `receipt` is the newest one's.
    """

    schema_version: Literal[1] = 1
    dataset: str
    seq: NonNegativeInt
    rows: FileRef
    num_rows: NonNegativeInt
    num_quarantined: NonNegativeInt
    uploads: tuple[FileRef, ...]
    receipt: FileRef
    at: AwareDatetime
    by: str


class Row(Contract):
    """One accepted row. `id` is the digest of text and label, so the same row has the same id in every upload."""

    id: str
    text: str
    label: str
    quality_score: float | None = None
