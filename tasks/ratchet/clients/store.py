"""Bytes by digest: blobs, folders and named records over a bucket (a local directory, or S3 in clients/s3.py).

blobs/<aa>/<sha256>   immutable content; a folder is a blob that lists its files
manifests/…, ledger/…, drills/…, notices/…, feedback/…, datasets/…, bases/…, reviews/…, preferences/…   named records,
written once
inbox/…   feedback that waits, for some days
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Protocol

from ratchet.clients.files import NO_SPACE
from ratchet.core.contract import canonical_json
from ratchet.core.errors import RatchetError, TerminalError, TransientError
from ratchet.core.log import log
from ratchet.core.refs import (
    CHUNK_BYTES,
    FileRef,
    FolderRef,
    blob_key,
    blob_uri,
    digest_file,
    list_folder,
    listing_json,
)
from ratchet.core.telemetry import span


class Bucket(Protocol):
    """Named bytes. Writes are atomic: a key holds all of its content or does not exist."""

    def create(self, key: str, source: Path) -> bool:
        """Write `source` under `key` unless the key exists; says whether this call wrote it."""
        ...

    def fetch(self, key: str, target: Path) -> None:
        """Copy the content to `target`. Raises KeyError when there is no such key."""
        ...

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """For checkpoints, dropped files and waiting feedback, which alone are not for ever.

        A key that is not there is no error.
        """
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key that starts with `prefix`, sorted."""
        ...


class BadRef(TerminalError, ValueError):
    """A name or a folder that this store cannot hold."""

    code = "INPUTS_REFUSED"


class DigestMismatch(TerminalError, ValueError):
    """Bytes are not what their name says."""

    code = "BYTES_CHANGED"


class MissingObject(TerminalError, LookupError):
    """The store has no such object."""

    code = "BYTES_MISSING"


class StoreAway(TransientError, ConnectionError):
    """The store cannot be read or written now; nothing was left half-written."""

    code = "STORE_AWAY"


class StoreFull(StoreAway):
    """No space left."""

    code = "DISK_FULL"


_ABANDONED_SECONDS = 24 * 3600.0


@contextmanager
def _disk(doing: str) -> Iterator[None]:
    """Say what could not be done when the operating system refuses."""
    try:
        yield
    except RatchetError:
        raise
    except OSError as error:
        full = error.errno in NO_SPACE
        remedy = "free space" if full else "mend the disk or its permissions"
        raise (StoreFull if full else StoreAway)(
            f"cannot {doing}: {error.strerror or error}; {remedy}, then run again: nothing was left half-written"
        ) from error


class LocalBucket:
    """A directory. A key is made by hard-linking a finished temporary file to its name, which fails if it is taken."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def create(self, key: str, source: Path) -> bool:
        target = self.root / key
        with source.open("rb") as content, _disk(f"write {key} ({source.stat().st_size} bytes) to {self.root}"):
            if target.exists():
                return False
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._staging()) as temporary:
                shutil.copyfileobj(content, temporary, CHUNK_BYTES)
                temporary.flush()
                os.fsync(temporary.fileno())
                Path(temporary.name).chmod(0o444)
                return _link(Path(temporary.name), target)

    def fetch(self, key: str, target: Path) -> None:
        if not self.exists(key):
            raise KeyError(key)
        shutil.copyfile(self.root / key, target)

    def delete(self, key: str) -> None:
        with _disk(f"delete {key}"):
            (self.root / key).unlink(missing_ok=True)

    def exists(self, key: str) -> bool:
        return (self.root / key).is_file()

    def keys(self, prefix: str) -> Iterator[str]:
        folder = self.root / prefix if prefix.endswith("/") else (self.root / prefix).parent
        found = (path.relative_to(self.root).as_posix() for path in folder.rglob("*") if path.is_file())
        yield from sorted(key for key in found if key.startswith(prefix))

    def _staging(self) -> Path:
        """Where files are written before they get their name; what a killed writer left there long ago is removed."""
        staging = self.root / "incoming"
        staging.mkdir(parents=True, exist_ok=True)
        oldest = time.time() - _ABANDONED_SECONDS
        for path in staging.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
        return staging


def _link(finished: Path, target: Path) -> bool:
    """Give a finished file its name for good, through a crash of the machine too; False when the name is taken."""
    try:
        os.link(finished, target)
    except FileExistsError:
        return False
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


class Store:
    """What steps use: put and get by digest, verified; and named records that are written once."""

    def __init__(self, bucket: Bucket, scratch: Path) -> None:
        self.bucket = bucket
        self.scratch = scratch

    # blobs

    def put_file(self, path: Path) -> FileRef:
        sha256 = digest_file(path)
        self.bucket.create(blob_key(sha256), path)
        return FileRef(uri=blob_uri(sha256), sha256=sha256, bytes=path.stat().st_size)

    def put_bytes(self, content: bytes) -> FileRef:
        with self._temporary() as path:
            with _disk(f"write {len(content)} bytes to {self.scratch}"):
                path.write_bytes(content)
            return self.put_file(path)

    @span("store.put_folder")
    def put_folder(self, folder: Path) -> FolderRef:
        refs = [(name, self.put_file(path)) for name, path in list_folder(folder)]
        if not refs:
            raise BadRef(f"folder {folder} is empty: expected at least one file to store")
        listing = self.put_bytes(listing_json([(name, ref.sha256) for name, ref in refs]))
        return FolderRef(uri=listing.uri, sha256=listing.sha256, bytes=sum(ref.bytes for _, ref in refs))

    @span("store.fetch_file")
    def fetch_file(self, ref: FileRef, target: Path) -> Path:
        """Copy to `target` and verify. Raises DigestMismatch, MissingObject."""
        self._fetch(_key(ref), ref.sha256, target)
        return target

    def read_bytes(self, ref: FileRef) -> bytes:
        """For small files only (reports, receipts)."""
        with self._temporary() as path:
            return self.fetch_file(ref, path).read_bytes()

    def find_bytes(self, sha256: str) -> bytes | None:
        """As read_bytes, by the digest alone; None when the store does not have it. Raises DigestMismatch."""
        with self._temporary() as path:
            try:
                self._fetch(blob_key(sha256), sha256, path)
            except MissingObject:
                return None
            return path.read_bytes()

    @span("store.fetch_folder")
    def fetch_folder(self, ref: FolderRef, target: Path, without: str | None = None) -> Path:
        """Make `target` the folder: complete and verified, or not there at all. An existing `target` is kept.

        `without`: files with this suffix are left out.
        """
        if target.is_dir():
            return target
        with _disk(f"write folder {target}"):
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".incoming-") as temporary:
                folder = self._fetch_entries(ref, Path(temporary), without)
                try:
                    folder.rename(target)
                except OSError:
                    if not target.is_dir():  # else another process was first, with the same bytes
                        raise
        return target

    def listing(self, ref: FolderRef) -> dict[str, str]:
        """The folder's files, path → sha256, without fetching them. Raises DigestMismatch, MissingObject."""
        with self._temporary() as path:
            self._fetch(_key(ref), ref.sha256, path)
            return dict(json.loads(path.read_bytes()))

    def _fetch_entries(self, ref: FolderRef, temporary: Path, without: str | None) -> Path:
        listing = temporary / "listing"
        self._fetch(_key(ref), ref.sha256, listing)
        folder = temporary / "folder"
        for name, sha256 in json.loads(listing.read_bytes()):
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise BadRef(f"folder {ref.uri} lists {name!r}: expected a path inside the folder")
            if without and name.endswith(without):
                continue
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fetch(blob_key(sha256), sha256, path)
        return folder

    # named records

    def create(self, key: str, value: object) -> bool:
        """Write the canonical JSON of `value` under `key` unless it exists; says whether this call wrote it."""
        content = value.canonical_json() if hasattr(value, "canonical_json") else canonical_json(value)
        with self._temporary() as path:
            with _disk(f"write {key} to {self.scratch}"):
                path.write_bytes(content)
            return self.bucket.create(key, path)

    def get(self, key: str) -> bytes | None:
        with self._temporary() as path:
            try:
                with _disk(f"read {key}"):
                    self.bucket.fetch(key, path)
            except KeyError:
                return None
            return path.read_bytes()

    def keys(self, prefix: str) -> list[str]:
        return list(self.bucket.keys(prefix))

    def _fetch(self, key: str, sha256: str, target: Path) -> None:
        found = self._fetch_once(key, target)
        if found != sha256:  # a torn transfer is mended by a second one; torn content is not
            log.warning("fetched bytes do not match their name, fetching again", extra={"key": key, "got": found[:12]})
            found = self._fetch_once(key, target)
        if found != sha256:
            target.unlink()
            raise DigestMismatch(f"{key}: expected sha256 {sha256}, got {found}: the stored bytes were changed or torn")

    def _fetch_once(self, key: str, target: Path) -> str:
        try:
            with _disk(f"copy {key} to {target}"):
                self.bucket.fetch(key, target)
        except KeyError:
            raise MissingObject(f"the store has no {key}: was it deleted, or is this another store?") from None
        return digest_file(target)

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        with _disk(f"make a folder in {self.scratch}"):
            self.scratch.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(dir=self.scratch)
        with folder as name:
            yield Path(name) / "content"


def _key(ref: FileRef | FolderRef) -> str:
    """Raises BadRef for a ref that is not one of ours."""
    if ref.uri != blob_uri(ref.sha256):
        raise BadRef(f"{ref.uri!r} is not in this store: expected {blob_uri(ref.sha256)}, as for every file of it")
    return blob_key(ref.sha256)
