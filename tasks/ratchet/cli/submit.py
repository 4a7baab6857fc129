"""`ratchet submit`: a file becomes a receipt, and its accepted rows a new dataset version."""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from croniter import croniter
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ratchet.cli import show
from ratchet.cli.here import do_step
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.drift import Distance
from ratchet.core.errors import NothingToDo, RatchetError, TerminalError
from ratchet.core.log import log
from ratchet.core.readable import printable
from ratchet.core.refs import FileRef, FolderRef
from ratchet.drift.contract import DriftInputs, DriftOutputs
from ratchet.intake.embedding import with_embedding
from ratchet.intake.take import take
from ratchet.intake.usual import usual_shifts
from ratchet.intake.versions import Added, Refused, Sender, add_version
from ratchet.recipes.files import PolicyFiles
from ratchet.recipes.recipe import Recipe
from ratchet.validate.contract import ValidateInputs, ValidateOutputs


@dataclass(frozen=True)
class Upload:
    """`replace` starts the dataset anew from this file; otherwise its rows are added to the newest version's.

    `reviewed`: a person has looked at each row.
    """

    path: Path
    text_column: str | None = None
    label_column: str | None = None
    replace: bool = False
    note: str = ""
    reviewed: bool = False


def submit(settings: Settings, config: Path, recipe: Recipe, upload: Upload, console: Console) -> Added:
    """Validate the file, make the version, show the receipt.

    Raises Refused, once its receipt is shown too, and validate's own errors.
    """
    if not upload.path.is_file():
        raise TerminalError(f"{upload.path}: no such file; expected CSV, JSON lines or Parquet (docs/data.md)")
    world = World(settings, settings.scratch)
    for one in recipe.evaluation_sets:
        world.store.put_file(PolicyFiles(settings.root).data_path(one.name))
    received_by = recipe.for_reviewed_rows() if upload.reviewed else recipe
    versions = () if upload.replace else world.datasets(recipe.dataset).records()
    base = world.base(recipe.base)
    with _progress(upload.path) as say:
        inputs = ValidateInputs(
            **received_by.receiving(
                _taken(world, upload.path, say.on_bytes),
                upload.path.name,
                versions[-1].rows if versions else None,
                usual_shifts(world.store, versions),
                upload.text_column,
                upload.label_column,
                base,
            )
        )
        say.doing("looking at every row")
        checked: ValidateOutputs = do_step(settings, config, "validate", inputs, show.quiet)
        if inputs.previous and checked.status == "ACCEPTED":
            say.doing("comparing what the texts are about")
            drift = _drift(settings, config, recipe, base, inputs, checked, show.quiet)
            checked = with_embedding(world.store, checked, drift)
        say.doing("adding the accepted rows")
        sender = Sender(getpass.getuser(), upload.note, upload.replace)
        try:
            added = add_version(world, recipe.dataset, inputs, checked, sender)
        except Refused as refused:
            say.done()
            show.receipt(world, upload.path.name, checked, refused, console)
            raise
        # The release validates the whole version; doing it now means that it finds that work done.
        say.doing("looking at the whole dataset")
        whole = ValidateInputs(**recipe.validating(added.version.rows, base))
        do_step(settings, config, "validate", whole, show.quiet)
    show.receipt(world, upload.path.name, checked, added, console)
    return added


def next_release(recipe: Recipe, now: datetime) -> datetime:
    """When the schedule starts a release next, in UTC."""
    return datetime.fromtimestamp(croniter(recipe.schedule, now).get_next(), UTC)


def tell_next(recipe: Recipe, added: Added, file_name: str, console: Console) -> None:
    """What became of the dataset and what happens to it next."""
    version = added.version
    if not added.is_new:
        console.print(
            f"{printable(file_name)} adds nothing: it is part of version {version.seq} of {version.dataset!r} already, "
            "or all of its rows were forgotten",
            markup=False,
            soft_wrap=True,
        )
    if added.is_new and version.num_forgotten:
        console.print(f"{version.num_forgotten} rows were left out: they were forgotten (`ratchet forget`)")
    when = next_release(recipe, datetime.now(UTC))
    console.print(
        f"what happens next: it joins the release of {when:%A %Y-%m-%d %H:%M} UTC; `ratchet retrain` starts one now"
    )


def _drift(
    settings: Settings,
    config: Path,
    recipe: Recipe,
    base: FolderRef | None,
    inputs: ValidateInputs,
    checked: ValidateOutputs,
    on_line: Callable[[str], None],
) -> Distance | None:
    """None where it cannot be told: it holds up no upload. Where steps are pods, this machine may be too small."""
    if recipe.drift is None or base is None or settings.runtime != "process":
        return None
    asked = recipe.drifting(inputs.previous, checked.accepted, base, inputs.usual_shifts)
    try:
        found: DriftOutputs = do_step(settings, config, "drift", DriftInputs(**asked), on_line)
    except NothingToDo:
        return None
    except RatchetError as error:
        log.warning("the upload was not compared by the base model", extra={"reason": str(error)})
        return None
    return found.embedding


def _taken(world: World, path: Path, on_bytes: Callable[[int], None]) -> FileRef:
    with path.open("rb") as source:
        return take(world, source, path.name, on_bytes)


@dataclass(frozen=True)
class _Say:
    on_bytes: Callable[[int], None]
    doing: Callable[[str], None]
    done: Callable[[], None]


@contextmanager
def _progress(path: Path) -> Iterator[_Say]:
    """On stderr, while it lasts, and only where somebody looks."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=path.stat().st_size)
        yield _Say(
            on_bytes=lambda num_bytes: bar.advance(task, num_bytes),
            doing=lambda what: bar.update(task, description=what),
            done=bar.stop,
        )
