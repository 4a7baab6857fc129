"""Append-only journals in the store: each record is a file, written once, that names the digest of the one before.

ledger/support/00000002.json
{"at":"2026-01-05T03:00:00Z","by":"mia","kind":"approved","line":"support","previous_sha256":"9f2c…","seq":2,…}
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from ratchet.clients.store import Store
from ratchet.core.contract import Contract, canonical_json
from ratchet.core.costs import CostRecord
from ratchet.core.datasets import DatasetVersion
from ratchet.core.drifts import Drift
from ratchet.core.drills import Drill
from ratchet.core.errors import TerminalError, TransientError
from ratchet.core.feedback import FeedbackReview
from ratchet.core.notices import Notice
from ratchet.core.preference import Rated
from ratchet.core.quality import Quality
from ratchet.core.releases import LedgerEvent, refusal

MAX_LOST_RACES = 100
_LINK = "previous_sha256"

Record = TypeVar("Record", bound=Contract)


class BrokenJournal(TerminalError, ValueError):
    """A record does not fit the chain: it was changed, removed or added by other hands."""

    code = "LEDGER_BROKEN"


class EventRefused(TerminalError, ValueError):
    """The event must not follow what the ledger holds."""

    code = "LEDGER_REFUSED"


class LostRace(TransientError, RuntimeError):
    """Others appended faster than we could."""

    code = "MOVED_MEANWHILE"


@dataclass(frozen=True)
class _Known(Generic[Record]):
    """A record as it was read. `stamp`: the store's own, another one after every write."""

    record: Record
    sha256: str
    stamp: str


class Journal(Generic[Record]):
    """Records of one model class, which must have a field `seq`; the journal sets it and chains the files.

    What was read once is not read again unless the store lists it as written since, and must then hold the same bytes.
    """

    def __init__(self, store: Store, prefix: str, model: type[Record]) -> None:
        self.store = store
        self.prefix = prefix
        self.model = model
        self._known: list[_Known[Record]] = []

    def records(self) -> list[Record]:
        """All records, oldest first, with the chain verified.

        Raises:
            BrokenJournal: naming the first record that does not fit.
        """
        return self._read()[0]

    def append(self, decide: Callable[[Sequence[Record]], Record | None]) -> Record | None:
        """Write what `decide` makes of the records so far; decide again whenever another writer was first.

        Returns what was written, with its `seq`; None when `decide` returned None.
        """
        for _ in range(MAX_LOST_RACES):
            records, head_sha256 = self._read()
            record = decide(records)
            if record is None:
                return None
            seq = len(records)
            content = {**record.model_dump(mode="json"), "seq": seq, _LINK: head_sha256}
            if self._create(seq, content):
                return record.model_copy(update={"seq": seq})
        raise LostRace(f"{self.prefix}: lost the race for the next record {MAX_LOST_RACES} times; run again")

    def _create(self, seq: int, content: dict[str, Any]) -> bool:
        key = self._key(seq)
        # Taken, yet with our very bytes: the write had its effect and only its answer was lost.
        return self.store.create(key, content) or self.store.get(key) == canonical_json(content)

    def _read(self) -> tuple[list[Record], str | None]:
        """All records, and the digest of the last."""
        known, found = self._known, list[_Known[Record]]()
        listed = self.store.stamps(f"{self.prefix}/")
        for seq, (key, _) in enumerate(listed):
            if key != self._key(seq):
                raise BrokenJournal(f"{key}: expected {self._key(seq)} here: a record is missing or does not belong")
        if len(listed) < len(known):
            raise BrokenJournal(f"{self._key(len(listed))}: read before, but gone: records must never be deleted")
        for seq, (key, stamp) in enumerate(listed):
            before = known[seq] if seq < len(known) else None
            if before is None or before.stamp != stamp:
                before = self._read_one(key, seq, stamp, before, found[-1].sha256 if found else None)
            found.append(before)
        self._known = found
        return [one.record for one in found], found[-1].sha256 if found else None

    def _read_one(
        self, key: str, seq: int, stamp: str, before: "_Known[Record] | None", head_sha256: str | None
    ) -> "_Known[Record]":
        content = self.store.get(key)
        if content is None:
            raise BrokenJournal(f"{key}: listed, but gone: records must never be deleted")
        sha256 = hashlib.sha256(content).hexdigest()
        if before and sha256 != before.sha256:
            raise BrokenJournal(
                f"{key}: {_short(before.sha256)} when it was read before, {_short(sha256)} now: records must never be "
                "changed; put the original back from a copy of the store"
            )
        return _Known(before.record if before else self._parse(key, content, seq, head_sha256), sha256, stamp)

    def _parse(self, key: str, content: bytes, seq: int, head_sha256: str | None) -> Record:
        try:
            fields = json.loads(content)
            link = fields.pop(_LINK)
            record = self.model.model_validate(fields)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            problem = "; ".join(e["msg"] for e in error.errors()) if isinstance(error, ValidationError) else error
            raise BrokenJournal(f"{key}: not a whole {self.model.__name__} of a known schema: {problem}") from error
        if fields["seq"] != seq or link != head_sha256:
            raise BrokenJournal(
                f"{key}: expected seq {seq} after {_short(head_sha256)}, got seq {fields['seq']} after {_short(link)}: "
                "this record or the one before was changed; put the original back from a copy of the store"
            )
        return record

    def _key(self, seq: int) -> str:
        return f"{self.prefix}/{seq:08}.json"


class Ledger(Journal[LedgerEvent]):
    """The truth about one line's releases."""

    def __init__(self, store: Store, line: str) -> None:
        super().__init__(store, f"ledger/{line}", LedgerEvent)
        self.line = line
        self._num_proved = 0

    def events(self) -> list[LedgerEvent]:
        """Every event, oldest first. Raises BrokenJournal when the chain does not verify."""
        return self.records()

    def append(self, decide: Callable[[Sequence[LedgerEvent]], LedgerEvent | None]) -> LedgerEvent | None:
        """As Journal.append. Raises EventRefused for an event that must not follow (core.releases.refusal)."""

        def decide_and_check(events: Sequence[LedgerEvent]) -> LedgerEvent | None:
            event = decide(events)
            if event is not None:
                self._check(events, event)
            return event

        return super().append(decide_and_check)

    def verify(self) -> list[LedgerEvent]:
        """Every event, once chain and story are proved, read anew from the first on.

        Raises:
            BrokenJournal: naming the first record that does not fit the chain.
            EventRefused: naming the first that must not follow those before it.
        """
        return Ledger(self.store, self.line).verify_new()

    def verify_new(self) -> list[LedgerEvent]:
        """As `verify`, but what this object has proved before is not judged again, and read only if written since."""
        events = self.events()
        for seq in range(self._num_proved, len(events)):
            self._check(events[:seq], events[seq])
        self._num_proved = len(events)
        return events

    def _check(self, events: Sequence[LedgerEvent], event: LedgerEvent) -> None:
        reason = "it is an event of another line" if event.line != self.line else refusal(events, event)
        if reason:
            where = self._key(len(events))
            raise EventRefused(f"{where}: {event.kind} of {event.release_id} is refused: {reason}")


def dataset_journal(store: Store, dataset: str) -> Journal[DatasetVersion]:
    return Journal(store, f"datasets/{dataset}", DatasetVersion)


def preference_journal(store: Store, candidate_sha256: str, baseline_sha256: str) -> Journal[Rated]:
    return Journal(store, f"preferences/{candidate_sha256}/{baseline_sha256}", Rated)


def drill_journal(store: Store, line: str) -> Journal[Drill]:
    return Journal(store, f"drills/{line}", Drill)


def drift_journal(store: Store, line: str) -> Journal[Drift]:
    return Journal(store, f"drifts/{line}", Drift)


def quality_journal(store: Store, line: str) -> Journal[Quality]:
    return Journal(store, f"quality/{line}", Quality)


def cost_journal(store: Store, line: str) -> Journal[CostRecord]:
    return Journal(store, f"costs/{line}", CostRecord)


def notice_journal(store: Store, line: str) -> Journal[Notice]:
    return Journal(store, f"notices/{line}", Notice)


def feedback_journal(store: Store, line: str) -> Journal[FeedbackReview]:
    return Journal(store, f"feedback/{line}", FeedbackReview)


def _short(sha256: str | None) -> str:
    return sha256[:12] if isinstance(sha256, str) else "nothing"
