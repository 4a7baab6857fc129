"""A dataset version: immutable rows, named by digest, with where they came from."""

import hashlib
from collections.abc import Set
from typing import Literal

from pydantic import AwareDatetime, NonNegativeInt

from ratchet.core.contract import Contract, Sha256
from ratchet.core.refs import FileRef

Change = Literal["append", "replace", "forget"]


class DatasetVersion(Contract):
    """One record of a dataset's journal. `rows` is JSON lines of `Row`; its sha256 names the version.

    `num_quarantined` counts over all uploads, `receipt` is the newest one's.

    What made it: `kind`; `made_from`, the seq of the version whose rows it begins with (None: it begins anew);
    `file_name` of the upload, which is the last of `uploads` (empty where rows were only forgotten);
    `rules_sha256`, the digest of the recipe's rules by which it was accepted. Old records have the defaults.

    `forgotten` is a JSON list of digests (see `is_forgotten`): such rows are in no later version either.
    `num_forgotten` rows were left out for that when this version was made.
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
    kind: Change = "append"
    made_from: NonNegativeInt | None = None
    file_name: str = ""
    note: str = ""
    rules_sha256: Sha256 | None = None
    forgotten: FileRef | None = None
    num_forgotten: NonNegativeInt = 0


class Row(Contract):
    """One accepted row. `id` is the digest of text and label, so the same row has the same id in every upload."""

    id: str
    text: str
    label: str
    quality_score: float | None = None


def text_digest(text: str) -> Sha256:
    return hashlib.sha256(text.encode()).hexdigest()


def is_forgotten(row_id: str, text: str, digests: Set[str]) -> bool:
    """A row is forgotten by its id, or by its text alone: then it stays out under every label."""
    return bool(digests) and (row_id in digests or text_digest(text) in digests)
