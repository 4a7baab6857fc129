"""`ratchet datasets`: the history of a dataset, from the store alone."""

import json

from rich.console import Console
from rich.text import Text

from ratchet.clients.world import World
from ratchet.core.errors import NothingToDo
from ratchet.core.readable import printable
from ratchet.intake.history import VersionEntry, version_history
from ratchet.recipes.recipe import Recipe

_HEADING = ("version", "rows", "new", "quarantined", "when (UTC)", "by", "how", "digest", "trained on it")
_RIGHT = 4  # so many columns are numbers


def gather(world: World, recipe: Recipe) -> list[VersionEntry]:
    """Raises NothingToDo for a dataset without versions, BrokenJournal for one that was changed by other hands."""
    versions = world.datasets(recipe.dataset).records()
    if not versions:
        raise NothingToDo(f"dataset {recipe.dataset} has no version yet: `ratchet submit FILE` makes the first")
    return version_history(versions, world.ledger(recipe.line).events())


def show(entries: list[VersionEntry], console: Console) -> None:
    """One line per version and one for its file and note; newest last, as in `ratchet releases`."""
    console.print(Text(f"dataset {entries[0].version.dataset}"))
    rows = [_HEADING, *(tuple(map(printable, _cells(entry))) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    console.print(Text(lines[0], style="bold"))
    for entry, line in zip(entries, lines[1:], strict=True):
        console.print(Text(line), soft_wrap=True)
        if told := ": ".join(part for part in (entry.version.file_name, entry.version.note) if part):
            indent = " " * (widths[0] + 1)
            console.print(Text(indent + printable(told), style="dim"), no_wrap=True, overflow="ellipsis")


def as_json(entries: list[VersionEntry]) -> str:
    """Every version in full, oldest first."""
    return json.dumps([_fields(entry) for entry in entries], indent=1, ensure_ascii=False)


def _fields(entry: VersionEntry) -> dict[str, object]:
    own = {"num_new": entry.num_new, "num_quarantined_here": entry.num_quarantined, "releases": list(entry.releases)}
    return {**entry.version.model_dump(mode="json"), **own}


def _cells(entry: VersionEntry) -> tuple[str, ...]:
    version = entry.version
    return (
        str(version.seq),
        str(version.num_rows),
        f"{entry.num_new:+d}",
        str(entry.num_quarantined),
        f"{version.at:%Y-%m-%d %H:%M}",
        version.by,
        version.kind,
        version.rows.sha256[:8],
        ", ".join(entry.releases),
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = (
        cell.rjust(w) if at < _RIGHT else cell.ljust(w) for at, (cell, w) in enumerate(zip(row, widths, strict=True))
    )
    return " ".join(cells).rstrip()
