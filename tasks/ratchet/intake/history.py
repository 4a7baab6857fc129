"""The history of a dataset, version by version, with what each added and which releases were trained on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.core.datasets import DatasetVersion
from ratchet.core.releases import LedgerEvent


@dataclass(frozen=True)
class VersionEntry:
    """`num_new` and `num_quarantined` are this version's own; negative where rows were forgotten.

    `releases` were trained on exactly these rows, oldest first: those that somebody decided about.
    """

    version: DatasetVersion
    num_new: int
    num_quarantined: int
    releases: tuple[str, ...]


def version_history(versions: Sequence[DatasetVersion], events: Sequence[LedgerEvent]) -> list[VersionEntry]:
    """Oldest first. `events` is the ledger of the line that trains on the dataset."""
    entries = []
    for number, version in enumerate(versions):
        before = None if version.kind == "replace" or number == 0 else versions[number - 1]
        entries.append(
            VersionEntry(
                version,
                num_new=version.num_rows - (before.num_rows if before else 0),
                num_quarantined=version.num_quarantined - (before.num_quarantined if before else 0),
                releases=trained_on(events, version.rows.sha256),
            )
        )
    return entries


def trained_on(events: Sequence[LedgerEvent], rows_sha256: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event.release_id for event in events if event.dataset_sha256 == rows_sha256))
