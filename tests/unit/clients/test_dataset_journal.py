from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.fakes.events import sha
from tests.fakes.records import version
from tests.fakes.threads import at_once

from ratchet.clients.bucket import LocalBucket
from ratchet.clients.ledger import BrokenJournal, dataset_journal
from ratchet.clients.store import Store
from ratchet.core.datasets import DatasetVersion
from ratchet.core.refs import FileRef


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(LocalBucket(tmp_path / "store"), tmp_path / "scratch")


def _version(content: str) -> DatasetVersion:
    return version(FileRef(uri=f"store://{content}", sha256=sha(content), bytes=1))


def test_a_dataset_has_a_journal_of_its_versions_with_the_same_chain(store: Store) -> None:
    journal = dataset_journal(store, "tickets")
    for content in ("one", "two", "three"):
        journal.append(lambda versions, content=content: _version(content))  # type: ignore[misc]

    assert [version.rows.sha256 for version in journal.records()] == [sha("one"), sha("two"), sha("three")]
    assert [version.seq for version in journal.records()] == [0, 1, 2]

    assert isinstance(store.bucket, LocalBucket)
    middle = store.bucket.root / "datasets/tickets/00000001.json"
    middle.chmod(0o644)
    middle.write_bytes(middle.read_bytes().replace(b'"num_rows":1', b'"num_rows":2'))
    with pytest.raises(BrokenJournal, match=r"datasets/tickets/00000002.json"):
        dataset_journal(store, "tickets").records()


def test_the_same_upload_sent_twice_at_once_is_one_version(store: Store) -> None:
    def add(_: int) -> DatasetVersion | None:
        def decide(versions: Sequence[DatasetVersion]) -> DatasetVersion | None:
            known = {version.rows.sha256 for version in versions}
            return None if sha("one") in known else _version("one")

        return dataset_journal(store, "tickets").append(decide)

    outcomes = at_once(8, add)

    assert len(dataset_journal(store, "tickets").records()) == 1
    assert all(outcome is None or isinstance(outcome, DatasetVersion) for outcome in outcomes)
