"""Where a store's bytes are: one Protocol, and a local directory (S3 is in clients/s3.py)."""

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from ratchet.clients.files import NO_SPACE, DiskFull
from ratchet.core.errors import RatchetError, TransientError
from ratchet.core.refs import CHUNK_BYTES

_ABANDONED_SECONDS = 24 * 3600.0


class StoreAway(TransientError, ConnectionError):
    """The store cannot be read or written now; nothing was left half-written."""

    code = "STORE_AWAY"


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

    def stamps(self, prefix: str) -> Iterator[tuple[str, str]]:
        """As keys, each with a stamp that is another one after every write."""
        ...


class LocalBucket:
    """A directory. A key is made by hard-linking a finished temporary file to its name, which fails if it is taken."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def create(self, key: str, source: Path) -> bool:
        target = self.root / key
        with source.open("rb") as content, told_by_disk(f"write {key} ({source.stat().st_size} bytes) to {self.root}"):
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
        with told_by_disk(f"delete {key}"):
            (self.root / key).unlink(missing_ok=True)

    def exists(self, key: str) -> bool:
        return (self.root / key).is_file()

    def keys(self, prefix: str) -> Iterator[str]:
        yield from (key for key, _ in self.stamps(prefix))

    def stamps(self, prefix: str) -> Iterator[tuple[str, str]]:
        """By the time at which the inode changed, which nobody sets back, as they may a file's."""
        folder = self.root / prefix if prefix.endswith("/") else (self.root / prefix).parent
        found = {}
        for path in folder.rglob("*"):
            with suppress(FileNotFoundError):
                status = path.stat()
                if stat.S_ISREG(status.st_mode):
                    written = f"{status.st_ctime_ns}-{status.st_ino}-{status.st_size}"
                    found[path.relative_to(self.root).as_posix()] = written
        yield from sorted((key, written) for key, written in found.items() if key.startswith(prefix))

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


@contextmanager
def told_by_disk(doing: str) -> Iterator[None]:
    """Raises StoreAway or DiskFull, which say what could not be done, where the operating system refuses."""
    try:
        yield
    except RatchetError:
        raise
    except OSError as error:
        full = error.errno in NO_SPACE
        remedy = "free space" if full else "mend the disk or its permissions"
        raise (DiskFull if full else StoreAway)(
            f"cannot {doing}: {error.strerror or error}; {remedy}, then run again: nothing was left half-written"
        ) from error
