"""drift: are texts about what the texts before them were about? Asked of an upload, and of what users ask by now."""

from datetime import date

from pydantic import Field, NonNegativeInt, PositiveInt

from ratchet.core.contract import Contract, Sha256
from ratchet.core.drift import Distance, Shift
from ratchet.core.refs import FileRef, FolderRef


class DriftSettings(Contract):
    """The first `max_text_tokens` of `sample_rows` texts of each side are looked at. More rows show smaller drift.

    The distances of all pairs are in memory at once: 0.8 GB with the most rows.
    """

    sample_rows: int = Field(default=500, ge=50, le=5000)
    max_text_tokens: PositiveInt = 128


class Captured(Contract):
    """What users asked on these days (UTC), where the edge keeps it: it is never copied. `sha256` is of the texts."""

    first_day: date
    last_day: date
    sha256: Sha256


class DriftInputs(Contract):
    """`reference` and `current` are JSON lines of core.datasets.Row.

    The line's own `prompt` is taken off captured texts. `usual` is how far each feature moved before (core.drift).
    """

    contract_version: int = 1
    reference: FileRef
    current: FileRef | Captured
    prompt: str
    base: FolderRef
    usual: dict[str, tuple[float, ...]] = Field(default={})
    settings: DriftSettings
    seed: int


class DriftOutputs(Contract):
    """`shifts` are of captured texts alone: validate tells those of an upload. Counts are of the rows looked at."""

    contract_version: int = 1
    num_reference: NonNegativeInt
    num_current: NonNegativeInt
    shifts: tuple[Shift, ...]
    embedding: Distance
