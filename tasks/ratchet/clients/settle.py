"""The ledger catches up with where the users are: traffic moves first, its event may wait, a killed command is ended.

waiting/support/20260105T030000.120000.json    a LedgerEvent that could not be written yet, beside the router's state
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from ratchet.clients.files import replace_file
from ratchet.clients.ledger import Ledger
from ratchet.clients.world import World
from ratchet.core.errors import RatchetError
from ratchet.core.log import log
from ratchet.core.refs import FolderRef, blob_uri
from ratchet.core.releases import Colour, LedgerEvent
from ratchet.core.rollout import Author, RouterState, Unexplained, unrecorded, without_canary

FOUND_LATER = "the command that moved traffic was cut short; found by the next one"


def author(by: str, note: str) -> Author:
    return Author(by=by, note=note, at=datetime.now(UTC))


def settle(world: World, line: str, who: Author | None = None) -> None:
    """Write the events that wait, then the one that the router's state says is missing. Does nothing when all is told.

    Raises:
        Unexplained: users are served by what the ledger never released.
        RatchetError: the store is away or the ledger does not verify.
    """
    ledger = world.ledger(line)
    for path, event in _waiting(world, line):
        _flush(ledger, event)
        path.unlink(missing_ok=True)
    written = ledger.append(lambda events: _missing(world, events, who or author("ratchet", FOUND_LATER)))
    if written:
        log.info("the ledger says where the users are", extra={"kind": written.kind, "release": written.release_id})


def _missing(world: World, events: Sequence[LedgerEvent], who: Author) -> LedgerEvent | None:
    """The router is read after the ledger, each time: whoever moves users meanwhile tells the ledger, too."""
    state = world.router.read()
    return unrecorded(events, state, who) if state else None


def foreseen(world: World, line: str, state: RouterState, who: Author) -> list[LedgerEvent]:
    """The ledger as it will read once `settle` has written what waits and what is missing."""
    events = world.ledger(line).events()
    for _, event in _waiting(world, line):
        if not _is_among(event, events):
            events.append(event.model_copy(update={"seq": len(events)}))
    with suppress(Unexplained):
        missing = unrecorded(events, state, who)
        if missing:
            events.append(missing.model_copy(update={"seq": len(events)}))
    return events


def num_waiting(world: World, line: str) -> int:
    """How many events wait beside the router, some of them perhaps written by now."""
    return len(list(_folder(world, line).glob("*.json")))


def settle_or_wait(world: World, line: str, state: RouterState, model: FolderRef, who: Author) -> bool:
    """For a roll-back: `state` is in force already and must stand whatever the store says; was it recorded?

    When the ledger cannot be written the event waits beside the router, and the next `settle` writes it.
    """
    try:
        settle(world, line, who)
    except (RatchetError, OSError) as error:
        # If it cannot wait either, the router's state still says it, and the next `settle` reads that.
        _let_wait(world, _rolled_back(line, state, model, who), error)
        return False
    return True


def settle_if_possible(world: World, line: str, who: Author) -> bool:
    """For a roll-back that moved nobody: was everything told? What is not, the router's state says to the next one."""
    try:
        settle(world, line, who)
    except (RatchetError, OSError) as error:
        log.warning("the ledger cannot be told now: the next command does it", extra={"error": str(error)})
        return False
    return True


def end_canary(world: World, line: str, state: RouterState, who: Author) -> tuple[RouterState, bool]:
    """All users back to where they belong, then the event; it waits when the ledger cannot be written.

    Returns the state in force, and whether the ledger knows.

    Raises:
        MovedMeanwhile: somebody else moved traffic since `state` was read.
    """
    tried = state.canary
    if tried is None:
        return state, True
    after = without_canary(state)
    world.router.write(after, instead_of=state)
    log.warning("the canary is ended", extra={"release": state.releases[tried], "by": who.by, "why": who.note})
    event = LedgerEvent(
        line=line,
        kind="aborted",
        at=who.at,
        by=who.by,
        release_id=state.releases[tried],
        model=_held(world, state, tried),
        colour=tried,
        note=who.note,
    )
    try:
        _flush(world.ledger(line), event)
    except (RatchetError, OSError) as error:
        _let_wait(world, event, error)
        return after, False
    return after, True


def _held(world: World, state: RouterState, colour: Colour) -> FolderRef:
    """What the colour was given; a model that is not loaded any more is known by its digest alone."""
    sha256 = state.models[colour]
    with suppress(RatchetError):  # users have moved already: who does not answer now must not undo that
        loaded = world.engine.loaded(colour)
        if loaded and loaded.model.sha256 == sha256:
            return loaded.model
    return FolderRef(uri=blob_uri(sha256), sha256=sha256, bytes=0)


def _flush(ledger: Ledger, event: LedgerEvent) -> None:
    if ledger.append(lambda events: None if _is_among(event, events) else event):
        log.info("a waiting event reached the ledger", extra={"kind": event.kind, "release": event.release_id})


def _rolled_back(line: str, state: RouterState, model: FolderRef, who: Author) -> LedgerEvent:
    return LedgerEvent(
        line=line,
        kind="rolled_back",
        at=who.at,
        by=who.by,
        release_id=state.active_release,
        model=model,
        colour=state.active,
        note=who.note,
    )


def _is_among(event: LedgerEvent, events: Sequence[LedgerEvent]) -> bool:
    return (event.kind, event.release_id, event.at) in {(found.kind, found.release_id, found.at) for found in events}


def _folder(world: World, line: str) -> Path:
    return world.settings.state / "waiting" / line


def _waiting(world: World, line: str) -> Iterator[tuple[Path, LedgerEvent]]:
    for path in sorted(_folder(world, line).glob("*.json")):
        yield path, LedgerEvent.model_validate_json(path.read_bytes())


def _let_wait(world: World, event: LedgerEvent, why: Exception) -> None:
    """Traffic has moved already, which a full disk must not turn into an error."""
    log.warning("an event waits: the ledger cannot be written", extra={"kind": event.kind, "error": str(why)})
    try:
        _wait(world, event)
    except OSError as failure:
        log.warning("the event cannot wait on disk either", extra={"kind": event.kind, "error": str(failure)})


def _wait(world: World, event: LedgerEvent) -> None:
    replace_file(_folder(world, event.line) / f"{event.at:%Y%m%dT%H%M%S.%f}.json", event.canonical_json())
