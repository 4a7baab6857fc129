"""What is appended comes back in order, once, whoever else writes."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.fakes.events import RELEASED, event
from tests.fakes.threads import at_once
from tests.unit.clients.ledger.conftest import always, fill, path_of, rewrite

from ratchet.clients.bucket import LocalBucket, StoreAway
from ratchet.clients.ledger import BrokenJournal, EventRefused, Journal, Ledger
from ratchet.clients.store import Store
from ratchet.core.contract import canonical_json
from ratchet.core.errors import TransientError
from ratchet.core.releases import LedgerEvent


def test_a_new_ledger_is_empty_and_verifies(ledger: Ledger) -> None:
    assert ledger.events() == []
    assert len(ledger.verify()) == 0


def test_events_from_before_there_was_an_adapter_lane_verify_as_they_are(ledger: Ledger, store: Store) -> None:
    """Written by hand as they stand in old stores, each with the digest of the bytes before it."""
    head = None
    for entry in RELEASED:
        fields = entry.model_dump(mode="json") | {"previous_sha256": head}
        del fields["parts"]
        if fields["evidence"]:
            del fields["evidence"]["adapter_sha256"], fields["evidence"]["base_sha256"]
        store.create(f"ledger/support/{entry.seq:08}.json", fields)
        head = hashlib.sha256(canonical_json(fields)).hexdigest()

    assert len(ledger.verify()) == 4
    assert ledger.events() == RELEASED
    assert ledger.append(always(event("rolled_back", "a"))) is not None
    assert len(ledger.verify()) == 5


def test_events_come_back_in_order_with_their_numbers(ledger: Ledger) -> None:
    fill(ledger)

    assert ledger.events() == RELEASED
    assert len(ledger.verify()) == 4


def test_append_returns_the_event_as_it_was_written(ledger: Ledger) -> None:
    fill(ledger, RELEASED[:1])

    written = ledger.append(always(event("approved", "b", seq=99)))

    assert written is not None
    assert written.seq == 1
    assert ledger.events()[1] == written


def test_each_file_names_the_digest_of_the_file_before(ledger: Ledger, store: Store) -> None:
    fill(ledger)

    links = [json.loads(path_of(store, seq).read_bytes())["previous_sha256"] for seq in range(4)]

    assert links == [None, *(hashlib.sha256(path_of(store, seq).read_bytes()).hexdigest() for seq in range(3))]


def test_deciding_nothing_writes_nothing(ledger: Ledger) -> None:
    fill(ledger)

    assert ledger.append(lambda events: None) is None
    assert len(ledger.events()) == 4


def test_two_lines_have_two_ledgers(ledger: Ledger, store: Store) -> None:
    fill(ledger)

    assert Ledger(store, "support-2").events() == []
    assert Ledger(store, "sup").events() == []


def test_the_loser_of_a_race_reads_again_and_decides_again(ledger: Ledger) -> None:
    seen: list[int] = []

    def decide(events: Sequence[LedgerEvent]) -> LedgerEvent:
        seen.append(len(events))
        if len(events) == 1:  # another writer comes between reading and writing
            ledger.append(always(event("approved", "b")))
        return event("approved", "c")

    fill(ledger, RELEASED[:1])
    written = ledger.append(decide)

    assert seen == [1, 2]
    assert written is not None
    assert [entry.release_id for entry in ledger.events()] == ["a", "b", "c"]


def test_of_many_bootstraps_at_once_exactly_one_is_written(store: Store) -> None:
    outcomes = at_once(8, lambda number: Ledger(store, "support").append(always(event("bootstrap", f"m{number}"))))

    assert sum(isinstance(outcome, LedgerEvent) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, EventRefused) for outcome in outcomes) == 7
    assert len(Ledger(store, "support").verify()) == 1


def test_many_writers_at_once_lose_no_event(ledger: Ledger, store: Store) -> None:
    fill(ledger, RELEASED[:1])

    at_once(8, lambda number: Ledger(store, "support").append(always(event("approved", f"m{number}"))))

    assert {entry.release_id for entry in ledger.events()[1:]} == {f"m{number}" for number in range(8)}
    assert len(ledger.verify()) == 9


class AnswerLost(LocalBucket):
    """The write has its effect, but the writer is told that the key was taken: a retry after a lost answer."""

    def create(self, key: str, source: Path) -> bool:
        super().create(key, source)
        return False


class Counting(LocalBucket):
    num_fetched = 0

    def fetch(self, key: str, target: Path) -> None:
        super().fetch(key, target)
        self.num_fetched += 1


def test_what_was_read_once_is_not_read_again(tmp_path: Path) -> None:
    bucket = Counting(tmp_path / "store")
    ledger = Ledger(Store(bucket, tmp_path / "scratch"), "support")
    fill(ledger, RELEASED[:3])
    assert ledger.events() == RELEASED[:3]
    before = bucket.num_fetched

    ledger.append(always(RELEASED[3]))

    assert ledger.events() == RELEASED
    assert bucket.num_fetched == before + 1


def test_verify_reads_again_what_was_read_before(ledger: Ledger, store: Store) -> None:
    fill(ledger)
    ledger.events()
    rewrite(path_of(store, 1), lambda content: content.update(by="mallory"))

    with pytest.raises(BrokenJournal, match=r"00000002.json: expected seq 2 after"):
        ledger.verify()


def test_what_was_proved_is_neither_read_nor_judged_again_until_somebody_asks_for_all(tmp_path: Path) -> None:
    bucket = Counting(tmp_path / "store")
    store = Store(bucket, tmp_path / "scratch")
    ledger = Ledger(store, "support")
    fill(ledger, RELEASED[:2])
    assert len(ledger.verify_new()) == 2
    fill(Ledger(store, "support"), RELEASED[2:])
    before = bucket.num_fetched

    assert len(ledger.verify_new()) == 4
    assert len(ledger.verify_new()) == 4
    assert bucket.num_fetched - before == 2
    ledger.verify()
    assert bucket.num_fetched - before == 2 + 4


def test_a_new_event_that_must_not_follow_is_seen_by_whoever_reads_on(ledger: Ledger, store: Store) -> None:
    fill(ledger, RELEASED[:1])
    assert len(ledger.verify_new()) == 1
    Journal.append(ledger, lambda _: event("promoted", "b"))

    for _ in range(2):
        with pytest.raises(EventRefused, match="00000001"):
            ledger.verify_new()


def test_an_event_that_was_read_before_and_is_gone_is_told(ledger: Ledger, store: Store) -> None:
    fill(ledger)
    ledger.events()
    path_of(store, 3).unlink()

    with pytest.raises(BrokenJournal, match=r"00000003.json: read before, but gone"):
        ledger.append(always(event("rolled_back", "a")))


def test_a_write_whose_answer_was_lost_is_not_repeated(tmp_path: Path) -> None:
    ledger = Ledger(Store(AnswerLost(tmp_path / "store"), tmp_path / "scratch"), "support")

    written = ledger.append(always(event("bootstrap", "a")))

    assert written is not None
    assert len(ledger.events()) == 1


class NeverFirst(LocalBucket):
    def create(self, key: str, source: Path) -> bool:
        return False


def test_a_race_that_is_lost_for_ever_ends_as_transient(tmp_path: Path) -> None:
    ledger = Ledger(Store(NeverFirst(tmp_path / "store"), tmp_path / "scratch"), "support")

    with pytest.raises(TransientError, match="lost the race"):
        ledger.append(always(event("bootstrap", "a")))


class Away(LocalBucket):
    def create(self, key: str, source: Path) -> bool:
        raise StoreAway("away")


def test_a_store_that_is_away_is_passed_on(tmp_path: Path) -> None:
    ledger = Ledger(Store(Away(tmp_path / "store"), tmp_path / "scratch"), "support")

    with pytest.raises(StoreAway):
        ledger.append(always(event("bootstrap", "a")))


# what must not follow


def test_a_bootstrap_is_refused_once_there_is_an_event(ledger: Ledger) -> None:
    fill(ledger, RELEASED[:1])

    with pytest.raises(EventRefused, match="only in an empty ledger"):
        ledger.append(always(event("bootstrap", "b")))


def test_an_event_of_another_line_is_refused(ledger: Ledger) -> None:
    with pytest.raises(EventRefused, match="another line"):
        ledger.append(always(event("bootstrap", "a", line="sales")))
