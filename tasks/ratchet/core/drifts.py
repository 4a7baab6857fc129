"""The record of one look at what users ask, against what production was trained on: numbers, no text of users."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

from pydantic import AwareDatetime, NonNegativeInt

from ratchet.core.contract import Contract, Sha256
from ratchet.core.drift import EMBEDDING, Distance, Shift

# As many looks as receipts say what is usual of uploads.
NUM_LOOKS = 20


class Drift(Contract):
    """One look. `seq` is set by the journal that keeps it.

    The texts are of whole days (UTC). `dataset_sha256` names the rows that `release_id` was trained on. Words and
    labels in the shifts are those that these rows have too.
    """

    schema_version: Literal[1] = 1
    line: str
    seq: NonNegativeInt = 0
    at: AwareDatetime
    run_id: str
    release_id: str
    dataset_sha256: Sha256
    first_day: date
    last_day: date
    num_texts: NonNegativeInt
    shifts: tuple[Shift, ...]
    embedding: Distance

    @property
    def drifted(self) -> tuple[str, ...]:
        """The features that did."""
        told = tuple(shift.feature for shift in self.shifts if shift.drifted)
        return (*told, EMBEDDING) if self.embedding.drifted else told


def usual_of(looks: Sequence[Drift]) -> dict[str, tuple[float, ...]]:
    """How far each feature moved in the newest looks, oldest first."""
    usual: dict[str, tuple[float, ...]] = {}
    for look in looks[-NUM_LOOKS:]:
        moved = {**{shift.feature: shift.psi for shift in look.shifts}, EMBEDDING: look.embedding.distance}
        for feature, value in moved.items():
            usual[feature] = (*usual.get(feature, ()), value)
    return usual


def is_news(look: Drift, before: Sequence[Drift]) -> bool:
    """Did something drift that had not at the look before? What goes on is told once."""
    known: Iterable[str] = before[-1].drifted if before else ()
    return not set(look.drifted) <= set(known)
