import errno
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.threads import at_once

from ratchet.clients.bucket import LocalBucket, StoreAway
from ratchet.clients.files import DiskFull
from ratchet.clients.store import DigestMismatch, MissingObject, Store
from ratchet.core.errors import TerminalError, TransientError
from ratchet.core.refs import FileRef, FolderRef, blob_key, blob_uri, digest_file


@pytest.fixture
def bucket(tmp_path: Path) -> LocalBucket:
    return LocalBucket(tmp_path / "store")


@pytest.fixture
def store(bucket: LocalBucket, tmp_path: Path) -> Store:
    return Store(bucket, tmp_path / "scratch")


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _stored(bucket: LocalBucket, ref: FileRef) -> Path:
    return bucket.root / blob_key(ref.sha256)


# blobs


def test_a_file_comes_back_as_it_went_in(store: Store, tmp_path: Path) -> None:
    source = _write(tmp_path / "in", b"content")

    ref = store.put_file(source)

    assert store.fetch_file(ref, tmp_path / "out").read_bytes() == b"content"
    assert (ref.sha256, ref.bytes) == (digest_file(source), 7)


def test_the_same_bytes_are_stored_once(store: Store, bucket: LocalBucket) -> None:
    assert store.put_bytes(b"same") == store.put_bytes(b"same")
    assert len(_files(bucket.root)) == 1


def test_stored_bytes_cannot_be_written_over_by_accident(store: Store, bucket: LocalBucket) -> None:
    stored = _stored(bucket, store.put_bytes(b"content"))

    assert stored.stat().st_mode & 0o222 == 0


def test_changed_bytes_are_never_handed_out(store: Store, bucket: LocalBucket, tmp_path: Path) -> None:
    ref = store.put_bytes(b"content")
    stored = _stored(bucket, ref)
    stored.chmod(0o644)
    stored.write_bytes(b"c0ntent")

    with pytest.raises(DigestMismatch, match=f"expected sha256 {ref.sha256}"):
        store.fetch_file(ref, tmp_path / "out")

    assert not (tmp_path / "out").exists()


class TornOnce(LocalBucket):
    """Hands out half of the bytes the first time, as a cut connection does."""

    torn = False

    def fetch(self, key: str, target: Path) -> None:
        super().fetch(key, target)
        if not self.torn:
            self.torn = True
            target.write_bytes(target.read_bytes()[:-1])


def test_a_torn_transfer_is_noticed_and_repeated(tmp_path: Path) -> None:
    store = Store(TornOnce(tmp_path / "store"), tmp_path / "scratch")
    ref = store.put_bytes(b"content")

    assert store.read_bytes(ref) == b"content"


def test_a_missing_object_is_named(store: Store) -> None:
    gone = FileRef(uri=blob_uri("0" * 64), sha256="0" * 64, bytes=1)

    with pytest.raises(MissingObject, match="blobs/00/0000"):
        store.read_bytes(gone)


def test_bytes_that_may_be_gone_are_looked_for_by_their_digest(store: Store) -> None:
    assert store.find_bytes(store.put_bytes(b"content").sha256) == b"content"
    assert store.find_bytes("0" * 64) is None


@pytest.mark.parametrize("uri", ["s3://bucket/key", "/etc/passwd", "store://../../etc/passwd", "blobs/aa"])
def test_a_uri_of_another_store_is_refused(store: Store, uri: str) -> None:
    with pytest.raises(TerminalError, match="not in this store"):
        store.read_bytes(FileRef(uri=uri, sha256="0" * 64, bytes=0))


# folders


def test_a_folder_comes_back_whole(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    _write(folder / "config.json", b"{}")
    _write(folder / "deep" / "weights.bin", b"12345")

    ref = store.put_folder(folder)
    out = store.fetch_folder(ref, tmp_path / "cache" / "out")

    assert _files(out) == ["config.json", "deep/weights.bin"]
    assert (out / "deep" / "weights.bin").read_bytes() == b"12345"
    assert ref.bytes == 7


def test_an_empty_folder_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(TerminalError, match="empty is empty"):
        store.put_folder(tmp_path / "empty")


def test_a_folder_that_cannot_be_fetched_whole_is_not_there_at_all(
    store: Store, bucket: LocalBucket, tmp_path: Path
) -> None:
    _write(tmp_path / "in" / "a", b"first")
    last = _write(tmp_path / "in" / "z", b"last")
    ref = store.put_folder(tmp_path / "in")
    _stored(bucket, store.put_file(last)).unlink()

    with pytest.raises(MissingObject):
        store.fetch_folder(ref, tmp_path / "cache" / "out")

    assert list((tmp_path / "cache").iterdir()) == []


def test_many_processes_may_fetch_one_folderat_once(store: Store, tmp_path: Path) -> None:
    for number in range(20):
        _write(tmp_path / "in" / f"{number}", b"content")
    ref = store.put_folder(tmp_path / "in")

    results = at_once(8, lambda _: store.fetch_folder(ref, tmp_path / "out"))

    assert results == [tmp_path / "out"] * 8
    assert len(_files(tmp_path / "out")) == 20


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/../../outside"])
def test_a_listing_that_points_outside_its_folder_is_refused(store: Store, tmp_path: Path, name: str) -> None:
    content = store.put_bytes(b"content")
    listing = store.put_bytes(json.dumps([[name, content.sha256]]).encode())

    with pytest.raises(TerminalError, match="inside the folder"):
        store.fetch_folder(FolderRef(**listing.model_dump()), tmp_path / "cache" / "out")

    assert _files(tmp_path / "cache") == []


# named records


def test_a_record_is_written_once(store: Store) -> None:
    assert store.create("bases/tiny.json", {"b": 1, "a": "é"})
    assert not store.create("bases/tiny.json", {"other": 2})
    assert store.get("bases/tiny.json") == '{"a":"é","b":1}'.encode()


def test_a_record_that_is_not_there_is_none(store: Store) -> None:
    assert store.get("bases/none.json") is None
    assert store.keys("bases/") == []


# the disk


class FullDisk:
    """Stands in for the copy in the middle of a write: half of the bytes, then the disk is full."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, source: Any, target: Any, length: int = 0) -> None:
        target.write(source.read(4))
        target.flush()
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, DiskFull, "No space left on device; free space"),
        (errno.EDQUOT, DiskFull, "free space"),
        (errno.EIO, StoreAway, "mend the disk"),
    ],
)
def test_a_write_that_fails_half_way_leaves_nothing(
    store: Store,
    bucket: LocalBucket,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[TransientError],
    words: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", FullDisk(number))
        with pytest.raises(kind, match=words) as caught:
            store.put_bytes(b"a long content")

    assert caught.value.exit_code == 75
    assert _files(bucket.root) == []
    assert store.read_bytes(store.put_bytes(b"a long content")) == b"a long content"


def test_a_store_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = Store(LocalBucket(tmp_path / "file"), tmp_path / "scratch")  # a file stands where the folder should be

    with pytest.raises(StoreAway, match="mend the disk or its permissions"):
        store.put_bytes(b"content")


def test_what_a_killed_writer_left_is_removed_after_a_day(store: Store, bucket: LocalBucket) -> None:
    old = _write(bucket.root / "incoming" / "old", b"half")
    young = _write(bucket.root / "incoming" / "young", b"half")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))

    store.put_bytes(b"content")

    assert not old.exists()
    assert young.exists()


def test_a_missing_source_is_not_mistaken_for_a_broken_store(bucket: LocalBucket, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bucket.create("key", tmp_path / "missing")
