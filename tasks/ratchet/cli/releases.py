"""`ratchet releases`: the history of a model line, from the ledger alone; Airflow and MLflow may be down."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from ratchet.clients.settle import FOUND_LATER, author, foreseen
from ratchet.clients.world import World
from ratchet.core.errors import RatchetError, TerminalError
from ratchet.core.history import Entry, history, worth_a_row
from ratchet.core.releases import EventKind
from ratchet.core.rollout import RouterState

NUM_ROWS = 20
_HEADING = ("", "when (UTC)", "release", "what", "on", "by", "model", "data")
_STYLES: dict[EventKind, str] = {"promoted": "green", "rejected": "yellow", "aborted": "yellow", "rolled_back": "red"}


@dataclass(frozen=True)
class Told:
    """A line's history, and where its users are; `problem` says why the router could not be asked."""

    line: str
    entries: list[Entry]
    state: RouterState | None
    problem: str = ""

    @property
    def strayed(self) -> bool:
        """Do the users have something else than what the ledger says is live?"""
        live = next((entry.event for entry in self.entries if entry.is_live), None)
        return bool(live and self.state and not self.state.serves(live.release_id, live.model.sha256))


def gather(world: World, line: str) -> Told:
    """Raises BrokenJournal when the ledger's chain does not verify, TerminalError when nobody knows the line."""
    events = world.ledger(line).events()
    if not events:
        known = sorted({key.split("/")[1] for key in world.store.keys("ledger/")})
        raise TerminalError(
            f"{line} has no releases yet: `ratchet up` releases the base model; lines with releases: "
            f"{', '.join(known) or 'none'}"
        )
    if line != world.settings.recipe:  # this platform's router has the users of another line
        return Told(line, history(events, len(events)), state=None)
    try:
        state = world.router.read()
    except RatchetError as error:
        return Told(line, history(events, len(events)), state=None, problem=str(error))
    told = foreseen(world, line, state, author("ratchet", FOUND_LATER)) if state else events
    return Told(line, history(told, len(events)), state)


def show(told: Told, num_rows: int, console: Console) -> None:
    """One line per event and one for its note, so that nothing is folded in 100 columns."""
    rows = worth_a_row(told.entries)
    shown = rows[-num_rows:] if num_rows else rows
    cells = [_HEADING, *map(_cells, shown)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [" ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    console.print(Text(lines[0], style="bold"))
    for entry, line in zip(shown, lines[1:], strict=True):
        console.print(Text(line, style=_style(entry)), soft_wrap=True)
        if entry.event.note:
            indent = " " * (sum(widths[:2]) + 2)
            console.print(Text(indent + entry.event.note, style="dim"), no_wrap=True, overflow="ellipsis")
    if len(shown) < len(rows):
        console.print(f"{len(rows) - len(shown)} earlier ones: `ratchet releases --last 0`")
    for remark in _remarks(told):
        console.print(escape(remark), style="red", soft_wrap=True)


def as_json(told: Told) -> str:
    """Every event in full, oldest first, for machines."""
    return json.dumps(
        {
            "line": told.line,
            "router": told.state.model_dump(mode="json") if told.state else None,
            "router_problem": told.problem,
            "events": [_fields(entry) for entry in told.entries],
        },
        indent=1,
        ensure_ascii=False,
    )


def _fields(entry: Entry) -> dict[str, Any]:
    return {**entry.event.model_dump(mode="json"), "is_live": entry.is_live, "waits": entry.waits}


def _cells(entry: Entry) -> tuple[str, ...]:
    event = entry.event
    return (
        "live" if entry.is_live else "waits" if entry.waits else "",
        f"{event.at:%Y-%m-%d %H:%M}",
        event.release_id,
        event.kind.replace("_", " "),
        event.colour or "",
        event.by,
        event.model.sha256[:8],
        event.dataset_sha256[:8] if event.dataset_sha256 else "",
    )


def _style(entry: Entry) -> str:
    return f"bold {_STYLES.get(entry.event.kind, '')}" if entry.is_live else _STYLES.get(entry.event.kind, "")


def _remarks(told: Told) -> Iterator[str]:
    if any(entry.waits for entry in told.entries):
        yield "what waits is in force, but not in the ledger yet: the next release or roll-back writes it"
    if told.problem:
        yield f"the router cannot be asked, so what is live is what the ledger says: {told.problem}"
    if told.state and told.strayed:
        yield f"users are on {told.state.active_release}, not on what the ledger says is live: `ratchet verify`"
