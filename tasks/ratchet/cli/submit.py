"""`ratchet submit`: a file becomes a receipt, and its accepted rows a new dataset version."""

import getpass
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ratchet.cli.here import do_step
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.datasets import DatasetVersion
from ratchet.core.errors import TerminalError
from ratchet.core.refs import FileRef
from ratchet.recipes.recipe import Recipe
from ratchet.validate.contract import ValidateInputs, ValidateOutputs

_NUM_RECEIPTS = 20


@dataclass(frozen=True)
class Upload:
    """`replace` starts the dataset anew from this file; otherwise its rows are added to the newest version's."""

    path: Path
    text_column: str | None = None
    label_column: str | None = None
    replace: bool = False


class Refused(TerminalError, ValueError):
    """The batch as a whole is not acceptable; the newest version stays current."""


def submit(
    settings: Settings, config: Path, recipe: Recipe, upload: Upload, on_line: Callable[[str], None]
) -> tuple[ValidateOutputs, DatasetVersion]:
    """Validate the file, keep its receipt, make the version. Raises Refused, and validate's own errors."""
    if not upload.path.is_file():
        raise TerminalError(f"{upload.path}: no such file; expected a CSV or JSON lines file of labelled texts")
    world = World(settings, settings.scratch)
    versions = () if upload.replace else world.datasets(recipe.dataset).records()
    inputs = ValidateInputs(
        upload=world.store.put_file(upload.path),
        file_name=upload.path.name,
        text_column=upload.text_column,
        label_column=upload.label_column,
        previous=versions[-1].rows if versions else None,
        usual_shifts=usual_shifts(world, versions),
        rules=recipe.rules,
    )
    checked: ValidateOutputs = do_step(settings, config, "validate", inputs, on_line)
    if checked.status == "REFUSED":
        raise Refused(f"{upload.path.name} is refused: {'; '.join(checked.refusals)}; the current version is unchanged")
    version = add_version(world, recipe.dataset, inputs.upload, checked, upload.replace)
    # The release validates the whole version; doing it now means that it finds that work done.
    whole = ValidateInputs(
        upload=version.rows, file_name="rows.jsonl", text_column="text", label_column="label", rules=recipe.rules
    )
    do_step(settings, config, "validate", whole, on_line)
    return checked, version


def usual_shifts(world: World, versions: Sequence[DatasetVersion]) -> dict[str, tuple[float, ...]]:
    """How far each feature moved in the last uploads, as their receipts tell."""
    usual: dict[str, tuple[float, ...]] = {}
    for version in versions[-_NUM_RECEIPTS:]:
        changes = json.loads(world.store.read_bytes(version.receipt)).get("changes") or {"shifts": []}
        for shift in changes["shifts"]:
            usual[shift["feature"]] = (*usual.get(shift["feature"], ()), shift["psi"])
    return usual


def add_version(world: World, dataset: str, upload: FileRef, checked: ValidateOutputs, replace: bool) -> DatasetVersion:
    """Append a version to the dataset's journal; sending the same file again changes nothing."""

    def decide(versions: Sequence[DatasetVersion]) -> DatasetVersion | None:
        newest = versions[-1] if versions and not replace else None
        if (
            versions
            and upload.sha256 in {known.sha256 for known in versions[-1].uploads}
            and (not replace or len(versions[-1].uploads) == 1)
        ):
            return None
        return DatasetVersion(
            dataset=dataset,
            seq=len(versions),
            rows=joined(world, newest.rows if newest else None, checked.accepted),
            num_rows=(newest.num_rows if newest else 0) + checked.num_accepted,
            num_quarantined=(newest.num_quarantined if newest else 0) + checked.num_quarantined,
            uploads=(*(newest.uploads if newest else ()), upload),
            receipt=checked.receipt,
            at=datetime.now(UTC),
            by=getpass.getuser(),
        )

    journal = world.datasets(dataset)
    return journal.append(decide) or journal.records()[-1]


def joined(world: World, older: FileRef | None, newer: FileRef) -> FileRef:
    """Older rows first: a row's side of the split follows from the rows before it."""
    if older is None:
        return newer
    with world.scratch() as folder:
        whole = world.store.fetch_file(older, folder / "rows.jsonl")
        part = world.store.fetch_file(newer, folder / "new.jsonl")
        with whole.open("ab") as target, part.open("rb") as source:
            shutil.copyfileobj(source, target)
        return world.store.put_file(whole)
