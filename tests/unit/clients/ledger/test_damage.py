"""Records that other hands changed, removed or added: each is named, and nothing follows them."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fakes.events import RELEASED, event
from tests.unit.clients.ledger.conftest import always, fill, path_of, rewrite

from ratchet.clients.ledger import BrokenJournal, EventRefused, Ledger
from ratchet.clients.store import Store
from ratchet.core.contract import canonical_json


@pytest.mark.parametrize("seq", [0, 1, 2])
def test_a_changed_event_breaks_the_chain_at_the_next_one(ledger: Ledger, store: Store, seq: int) -> None:
    fill(ledger)
    rewrite(path_of(store, seq), lambda content: content.update(by="mallory"))

    with pytest.raises(BrokenJournal, match=f"ledger/support/{seq + 1:08}.json: expected seq {seq + 1} after"):
        ledger.events()


@pytest.mark.parametrize("seq", range(4))
def test_a_change_of_what_was_read_before_is_seen_at_the_next_reading(ledger: Ledger, store: Store, seq: int) -> None:
    """Of the last record too, which no chain shows, and with the file's time set back."""
    fill(ledger)
    ledger.events()
    path = path_of(store, seq)
    whole, times = path.read_bytes(), path.stat()
    rewrite(path, lambda content: content.update(by="zoe"))  # mia: as many bytes
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    for read in (ledger.events, ledger.verify_new):
        with pytest.raises(BrokenJournal, match=rf"{seq:08}.json: \w+ when it was read before, \w+ now"):
            read()
    path.write_bytes(whole)
    assert ledger.verify_new() == RELEASED


def test_a_store_that_was_copied_is_read_again_and_found_the_same(tmp_path: Path, ledger: Ledger, store: Store) -> None:
    fill(ledger)
    ledger.events()
    folder = path_of(store, 0).parent
    shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(folder)
    (tmp_path / "copy").rename(folder)

    assert ledger.events() == RELEASED


def test_a_removed_event_is_a_gap(ledger: Ledger, store: Store) -> None:
    fill(ledger)
    path_of(store, 1).unlink()

    with pytest.raises(BrokenJournal, match=r"ledger/support/00000002.json: expected ledger/support/00000001.json"):
        ledger.events()


def test_a_file_that_does_not_belong_is_named(ledger: Ledger, store: Store) -> None:
    fill(ledger)
    path_of(store, 1).with_name("notes.txt").write_text("hello")

    with pytest.raises(BrokenJournal, match=r"notes\.txt"):
        ledger.events()


def test_two_events_that_changed_places_are_found(ledger: Ledger, store: Store) -> None:
    fill(ledger)
    one, two, aside = path_of(store, 1), path_of(store, 2), path_of(store, 1).parent.parent / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)

    with pytest.raises(BrokenJournal, match=r"00000001.json: expected seq 1"):
        ledger.events()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda content: content[: len(content) // 2], "not a whole LedgerEvent"),
        (lambda content: b"", "not a whole LedgerEvent"),
        (lambda content: b"[1]", "not a whole LedgerEvent"),
        (lambda content: content.replace(b'"schema_version":1', b'"schema_version":2'), "known schema"),
        (lambda content: content.replace(b'"by"', b'"bye"'), "not a whole LedgerEvent"),
        (lambda content: b"\xff" + content, "not a whole LedgerEvent"),
    ],
    ids=["torn", "empty", "another thing", "a later schema", "an unknown field", "not UTF-8"],
)
def test_a_record_that_cannot_be_read_is_named(
    ledger: Ledger, store: Store, spoil: Callable[[bytes], bytes], words: str
) -> None:
    fill(ledger)
    path = path_of(store, 3)
    path.chmod(0o644)
    path.write_bytes(spoil(path.read_bytes()))

    with pytest.raises(BrokenJournal, match=f"00000003.json.*{words}"):
        ledger.events()


def test_nothing_is_appended_to_a_broken_chain(ledger: Ledger, store: Store) -> None:
    fill(ledger)
    rewrite(path_of(store, 0), lambda content: content.update(by="mallory"))

    with pytest.raises(BrokenJournal):
        ledger.append(always(event("approved", "c")))

    assert not path_of(store, 4).exists()


def test_verify_reads_the_story_too_not_only_the_chain(ledger: Ledger, store: Store) -> None:
    fill(ledger, RELEASED[:1])
    head = hashlib.sha256(path_of(store, 0).read_bytes()).hexdigest()
    forged = event("promoted", "b", seq=1).model_dump(mode="json") | {"previous_sha256": head}
    path_of(store, 1).write_bytes(canonical_json(forged))

    assert len(ledger.events()) == 2
    with pytest.raises(EventRefused, match=r"00000001.json: promoted of b is refused: no intent"):
        ledger.verify()
