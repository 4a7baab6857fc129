"""An accepted upload becomes the dataset's next version: the one way, for the command line, the DAG and REST alike."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ratchet.clients.world import World
from ratchet.core.contract import digest_json
from ratchet.core.datasets import DatasetVersion, is_forgotten
from ratchet.core.errors import TerminalError
from ratchet.core.refs import FileRef
from ratchet.validate.contract import ValidateInputs, ValidateOutputs


@dataclass(frozen=True)
class Sender:
    """Who hands in a file, what they say about it, and whether the dataset starts anew with it."""

    by: str
    note: str = ""
    replace: bool = False


@dataclass(frozen=True)
class Added:
    """The dataset's newest version, and whether this upload made it: one that is part of it already changes nothing."""

    version: DatasetVersion
    is_new: bool


class Refused(TerminalError, ValueError):
    """The batch as a whole is not acceptable; the newest version stays current."""

    code = "DATA_REFUSED"


def add_version(world: World, dataset: str, inputs: ValidateInputs, checked: ValidateOutputs, sender: Sender) -> Added:
    """Append what validate accepted of an upload. Killed anywhere and run again, it makes the version once.

    Raises:
        Refused: validate refused the batch.
    """
    if checked.status == "REFUSED":
        raise Refused(f"{inputs.file_name} is refused: {'; '.join(checked.refusals)}; the current version is unchanged")

    def decide(versions: Sequence[DatasetVersion]) -> DatasetVersion | None:
        if is_part_of(versions, inputs.upload, sender.replace):
            return None
        made = _next(world, dataset, versions, inputs, checked, sender)
        return made if not versions or made.rows != versions[-1].rows else None

    journal = world.datasets(dataset)
    if made := journal.append(decide):
        return Added(made, is_new=True)
    return Added(journal.records()[-1], is_new=False)


def is_part_of(versions: Sequence[DatasetVersion], upload: FileRef, replace: bool) -> bool:
    """Is this very file in the newest version already (with `replace`: alone in it)?"""
    known = {ref.sha256 for ref in versions[-1].uploads} if versions else set()
    return known == {upload.sha256} if replace else upload.sha256 in known


def _next(
    world: World,
    dataset: str,
    versions: Sequence[DatasetVersion],
    inputs: ValidateInputs,
    checked: ValidateOutputs,
    sender: Sender,
) -> DatasetVersion:
    newest = versions[-1] if versions else None
    before = None if sender.replace else newest
    forgotten = newest.forgotten if newest else None
    with world.scratch() as folder:
        part = folder / "part.jsonl"
        num_left_out = _write_unforgotten(world, checked.accepted, forgotten, part)
        rows = world.store.put_file(_joined(world, before.rows, part, folder) if before else part)
    return DatasetVersion(
        dataset=dataset,
        seq=len(versions),
        rows=rows,
        num_rows=(before.num_rows if before else 0) + checked.num_accepted - num_left_out,
        num_quarantined=(before.num_quarantined if before else 0) + checked.num_quarantined,
        uploads=(*(before.uploads if before else ()), inputs.upload),
        receipt=checked.receipt,
        at=datetime.now(UTC),
        by=sender.by,
        kind="replace" if sender.replace else "append",
        made_from=before.seq if before else None,
        file_name=inputs.file_name,
        note=sender.note,
        rules_sha256=digest_json(inputs.rules),
        forgotten=forgotten,
        num_forgotten=num_left_out,
    )


def _joined(world: World, older: FileRef, newer: Path, folder: Path) -> Path:
    """Older rows first: a row's side of the split follows from the rows before it."""
    whole = world.store.fetch_file(older, folder / "rows.jsonl")
    with whole.open("ab") as target, newer.open("rb") as source:
        shutil.copyfileobj(source, target)
    return whole


def _write_unforgotten(world: World, accepted: FileRef, forgotten: FileRef | None, target: Path) -> int:
    """Copy the accepted rows without those that must not come back; says how many these were."""
    world.store.fetch_file(accepted, target)
    return leave_out(target, read_forgotten(world, forgotten)) if forgotten else 0


def read_forgotten(world: World, forgotten: FileRef | None) -> frozenset[str]:
    return frozenset(json.loads(world.store.read_bytes(forgotten))) if forgotten else frozenset()


def leave_out(rows: Path, digests: frozenset[str]) -> int:
    """Rewrite a file of rows without the forgotten ones, line by line; says how many these were."""
    kept, num_left_out = rows.with_name(f"{rows.name}.kept"), 0
    with rows.open("rb") as source, kept.open("wb") as target:
        for line in source:
            row = json.loads(line)
            if is_forgotten(row["id"], row["text"], digests):
                num_left_out += 1
            else:
                target.write(line)
    kept.replace(rows)
    return num_left_out
