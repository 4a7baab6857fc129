"""Erasure: a version without certain rows, the promise that they do not come back, and who still knows them."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ratchet.clients.store import MissingObject
from ratchet.clients.world import World
from ratchet.core.contract import canonical_json
from ratchet.core.datasets import DatasetVersion, text_digest
from ratchet.core.errors import NothingToDo, TerminalError
from ratchet.core.refs import FileRef
from ratchet.core.releases import LedgerEvent, previous_production, production
from ratchet.intake.history import trained_on
from ratchet.intake.versions import leave_out, read_forgotten

# By which digest a row is known for ever: by its text, under whatever label; or by its id, with this label alone.
Known = Literal["text", "id"]
Finds = Callable[[dict[str, Any]], Known | None]


class BadPattern(TerminalError, ValueError):
    """What is to be forgotten cannot be looked for."""

    code = "REFUSED"


@dataclass(frozen=True)
class Found:
    """`digests` of the rows that match in any version; `num_now` of them are in the newest one.

    `versions` hold such rows, by seq, with how many; `unread`: versions whose rows the store no longer has.
    """

    digests: frozenset[str]
    num_now: int
    versions: dict[int, int]
    unread: tuple[int, ...]


def by_match(pattern: str, is_regex: bool) -> Finds:
    """Case does not matter. Raises BadPattern."""
    if not pattern.strip():
        raise BadPattern("--match is blank: every row would match; give a name, an address, a number")
    try:
        sought = re.compile(pattern if is_regex else re.escape(pattern.strip()), re.IGNORECASE)
    except re.error as error:
        raise BadPattern(
            f"--match is no regular expression: {error}; leave --regex out to look for it as it is"
        ) from None

    def finds(row: dict[str, Any]) -> Known | None:
        if sought.search(row["text"]):
            return "text"
        return "id" if sought.search(row["label"]) else None

    return finds


def by_ids(path: Path) -> Finds:
    """Row ids, one a line, as they stand in the rows of a version. Raises BadPattern naming the line."""
    try:
        ids = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadPattern(f"{path} cannot be read: {error}; expected row ids, one a line") from None
    for number, row_id in enumerate(ids, start=1):
        if not re.fullmatch(r"[0-9a-f]{64}", row_id):
            raise BadPattern(f"{path}, id {number}: expected 64 hex digits, got {row_id[:80]!r}")
    wanted = frozenset(ids)
    if not wanted:
        raise BadPattern(f"{path} is empty: expected row ids, one a line")
    return lambda row: "id" if row["id"] in wanted else None


def look(world: World, versions: Sequence[DatasetVersion], finds: Finds) -> Found:
    """Read the rows of every version, line by line: an old one may hold what the newest does not."""
    digests: set[str] = set()
    held: dict[str, int | None] = {}
    for version in versions:
        if version.rows.sha256 not in held:
            held[version.rows.sha256] = _look_into(world, version.rows, finds, digests)
    counts = {version.seq: held[version.rows.sha256] for version in versions}
    return Found(
        frozenset(digests),
        num_now=counts[versions[-1].seq] or 0,
        versions={seq: count for seq, count in counts.items() if count},
        unread=tuple(seq for seq, count in counts.items() if count is None),
    )


def _look_into(world: World, rows: FileRef, finds: Finds, digests: set[str]) -> int | None:
    num_found = 0
    try:
        for row in read_rows(world, rows):
            if known := finds(row):
                num_found += 1
                digests.add(text_digest(row["text"]) if known == "text" else row["id"])
    except MissingObject:
        return None
    return num_found


def read_rows(world: World, rows: FileRef) -> Iterator[dict[str, Any]]:
    with world.scratch() as folder, world.store.fetch_file(rows, folder / "rows.jsonl").open("rb") as lines:
        for line in lines:
            yield json.loads(line)


def forget(world: World, dataset: str, digests: frozenset[str], by: str, reason: str) -> DatasetVersion:
    """The version without these rows; they stay out of every later one, whoever uploads them.

    Raises NothingToDo when they are forgotten already. Killed anywhere and run again, it makes the version once.
    """

    def decide(versions: Sequence[DatasetVersion]) -> DatasetVersion | None:
        newest = versions[-1]
        known = read_forgotten(world, newest.forgotten)
        with world.scratch() as folder:
            rows = world.store.fetch_file(newest.rows, folder / "rows.jsonl")
            num_left_out = leave_out(rows, digests | known)
            if not num_left_out and digests <= known:
                return None
            kept = world.store.put_file(rows)
        return newest.model_copy(
            update={
                "seq": len(versions),
                "rows": kept,
                "num_rows": newest.num_rows - num_left_out,
                "at": datetime.now(UTC),
                "by": by,
                "kind": "forget",
                "made_from": newest.seq,
                "file_name": "",
                "note": reason,
                "rules_sha256": None,
                "forgotten": world.store.put_bytes(canonical_json(sorted(digests | known))),
                "num_forgotten": num_left_out,
            }
        )

    made = world.datasets(dataset).append(decide)
    if made is None:
        raise NothingToDo("these rows are forgotten already: no version has them that a release will train on")
    return made


@dataclass(frozen=True)
class Knows:
    """A release whose model was trained on forgotten rows; `where` is what it is now."""

    release_id: str
    where: Literal["in production", "previous", "not serving"]


def who_knows(versions: Sequence[DatasetVersion], found: Found, events: Sequence[LedgerEvent]) -> list[Knows]:
    """Every release in the ledger that was trained on a version with such rows, oldest first."""
    live, before = production(events), previous_production(events)
    places = {before.release_id: "previous"} if before else {}
    places |= {live.release_id: "in production"} if live else {}
    known = [
        release
        for version in versions
        if version.seq in found.versions
        for release in trained_on(events, version.rows.sha256)
    ]
    return [Knows(release, places.get(release, "not serving")) for release in dict.fromkeys(known)]  # type: ignore[arg-type]
