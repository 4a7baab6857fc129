"""Bytes by digest: blobs, folders and named records over a bucket.

blobs/<aa>/<sha256>   immutable content; a folder is a blob that lists its files
manifests/…, ledger/…, drills/…, notices/…, feedback/…, datasets/…, bases/…, reviews/…, preferences/…   named records,
written once
inbox/…   feedback that waits, for some days
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ratchet.clients.bucket import Bucket, told_by_disk
from ratchet.core.contract import canonical_json
from ratchet.core.errors import TerminalError
from ratchet.core.log import log
from ratchet.core.refs import FileRef, FolderRef, blob_key, blob_uri, digest_file, list_folder, listing_json
from ratchet.core.telemetry import span


class BadRef(TerminalError, ValueError):
    """A name or a folder that this store cannot hold."""

    code = "INPUTS_REFUSED"


class DigestMismatch(TerminalError, ValueError):
    """Bytes are not what their name says."""

    code = "BYTES_CHANGED"


class MissingObject(TerminalError, LookupError):
    """The store has no such object."""

    code = "BYTES_MISSING"


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
            with told_by_disk(f"write {len(content)} bytes to {self.scratch}"):
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
        with told_by_disk(f"write folder {target}"):
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
            with told_by_disk(f"write {key} to {self.scratch}"):
                path.write_bytes(content)
            return self.bucket.create(key, path)

    def get(self, key: str) -> bytes | None:
        with self._temporary() as path:
            try:
                with told_by_disk(f"read {key}"):
                    self.bucket.fetch(key, path)
            except KeyError:
                return None
            return path.read_bytes()

    def keys(self, prefix: str) -> list[str]:
        return list(self.bucket.keys(prefix))

    def stamps(self, prefix: str) -> list[tuple[str, str]]:
        """As keys, each with a stamp that is another one after every write."""
        return list(self.bucket.stamps(prefix))

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
            with told_by_disk(f"copy {key} to {target}"):
                self.bucket.fetch(key, target)
        except KeyError:
            raise MissingObject(f"the store has no {key}: was it deleted, or is this another store?") from None
        return digest_file(target)

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        with told_by_disk(f"make a folder in {self.scratch}"):
            self.scratch.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(dir=self.scratch)
        with folder as name:
            yield Path(name) / "content"


def _key(ref: FileRef | FolderRef) -> str:
    """Raises BadRef for a ref that is not one of ours."""
    if ref.uri != blob_uri(ref.sha256):
        raise BadRef(f"{ref.uri!r} is not in this store: expected {blob_uri(ref.sha256)}, as for every file of it")
    return blob_key(ref.sha256)
