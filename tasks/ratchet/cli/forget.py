"""`ratchet forget`: rows that somebody asked to be erased leave the dataset, and it is told who still knows them."""

import getpass
from argparse import Namespace
from collections.abc import Sequence

from rich.console import Console

from ratchet.clients.world import World
from ratchet.core.datasets import DatasetVersion
from ratchet.core.errors import NothingToDo, TerminalError
from ratchet.intake.forget import Finds, Found, Knows, by_ids, by_match, forget, look, who_knows
from ratchet.recipes.recipe import Recipe


def run(world: World, recipe: Recipe, options: Namespace, console: Console) -> None:
    """Show what would go, ask, make the version, say what remains. Raises NothingToDo, BadPattern, TerminalError."""
    finds = _finds(options)
    versions = world.datasets(recipe.dataset).records()
    if not versions:
        raise NothingToDo(f"dataset {recipe.dataset} has no rows yet")
    found = look(world, versions, finds)
    if not found.digests:
        raise NothingToDo(f"no version of {recipe.dataset} has such a row; nothing was changed")
    knows = who_knows(versions, found, world.ledger(recipe.line).events())
    _tell_found(recipe, found, knows, console)
    if not (options.yes or _agreed(console)):
        console.print("nothing was changed")
        return
    made = forget(world, recipe.dataset, found.digests, getpass.getuser(), options.reason)
    _tell_made(made, knows, console)
    _tell_remains(versions, found, made, console)


def _finds(options: Namespace) -> Finds:
    return by_ids(options.ids) if options.ids else by_match(options.match, options.regex)


def _agreed(console: Console) -> bool:
    if not console.is_terminal:
        raise TerminalError("nobody is there to ask: look at the count above, and say --yes to forget these rows")
    return console.input("forget them? [y/N] ").strip().lower() in ("y", "yes")


def _tell_found(recipe: Recipe, found: Found, knows: Sequence[Knows], console: Console) -> None:
    held = ", ".join(f"{seq} ({count})" for seq, count in found.versions.items())
    console.print(
        f"{found.num_now} rows of the newest version of {recipe.dataset!r} match; versions with such rows: {held}",
        soft_wrap=True,
    )
    if found.unread:
        console.print(f"[yellow]versions whose rows the store no longer has: {', '.join(map(str, found.unread))}[/]")
    console.print(f"releases that were trained on them: {_listed(knows)}", soft_wrap=True)


def _tell_made(made: DatasetVersion, knows: Sequence[Knows], console: Console) -> None:
    console.print(
        f"version {made.seq} of {made.dataset!r} ({made.rows.sha256[:12]}) has {made.num_rows} rows, "
        f"{made.num_forgotten} fewer; an upload that brings them again is accepted without them",
        soft_wrap=True,
    )
    if any(release.where == "in production" for release in knows):
        console.print("production still knows them: `ratchet retrain` makes a release that does not, then approve it")
    elif knows:
        console.print("production does not know them")
    if any(release.where != "not serving" for release in knows):
        console.print(
            "a roll-back leads to a model that knows them until the release after that one has replaced it too"
        )


def _tell_remains(versions: Sequence[DatasetVersion], found: Found, made: DatasetVersion, console: Console) -> None:
    """Nothing is ever deleted from the store, which others name by digest: whoever must erase bytes is told where."""
    held = [version for version in versions if version.seq in found.versions]
    rows = {version.rows.sha256: f"rows of version {version.seq}" for version in held}
    uploads = {upload.sha256: "an upload" for version in held for upload in version.uploads}
    console.print(
        "\nwhat remains in the store until you delete it there (docs/data.md, Forget): the texts in the files below, "
        "and in what was made of them: quarantines, training sets, evaluations, reports and models",
        soft_wrap=True,
    )
    for sha256, what in {**uploads, **rows}.items():
        if sha256 != made.rows.sha256:
            console.print(f"  blobs/{sha256[:2]}/{sha256}  {what}", soft_wrap=True)


def _listed(knows: Sequence[Knows]) -> str:
    return ", ".join(f"{release.release_id} ({release.where})" for release in knows) or "none"
