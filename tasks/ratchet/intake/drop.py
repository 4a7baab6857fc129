"""Where others leave files for the intake: a folder on this machine, or a prefix of the store's bucket.

drop/support/monday.csv                          waits
drop/support/accepted/3f9a0c51d2e7-monday.csv    was accepted; its receipt is beside it, …-monday.csv.receipt.json
drop/support/refused/…                           was refused, once; its receipt says why
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from ratchet.clients.files import replace_file
from ratchet.clients.world import World
from ratchet.core.errors import NothingToDo, TerminalError

if TYPE_CHECKING:
    from ratchet.clients.s3 import S3Bucket

Outcome = Literal["accepted", "refused"]

# How the programs that copy and download files name what is not whole yet.
UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".download", ".filepart", ".swp", "~")
MAX_NAME_CHARACTERS = 200


class BadName(TerminalError, ValueError):
    """The name is no plain file name: nothing is read, and nothing is moved."""

    code = "DATA_REFUSED"


class NotAFile(TerminalError, ValueError):
    """What waits under the name is a link, a folder or a device."""

    code = "DATA_REFUSED"


class Gone(NothingToDo):
    """Nothing waits under that name (any more)."""


@dataclass(frozen=True)
class Dropped:
    """Something that waits. `stamp` changes whenever the content does: a later file of the same name is another one."""

    name: str
    stamp: str

    @property
    def mark(self) -> str:
        """Twelve hex digits that stand for this file, and no later one of its name, wherever it is told of."""
        return hashlib.sha256(f"{self.name}/{self.stamp}".encode()).hexdigest()[:12]


class Drop(Protocol):
    """Where files wait. `where` says it to a person."""

    @property
    def where(self) -> str: ...

    def waiting(self) -> list[Dropped]:
        """What has the name of a whole file, by name."""
        ...

    def find(self, name: str) -> Dropped:
        """Raises BadName, Gone."""
        ...

    def opened(self, dropped: Dropped) -> AbstractContextManager[BinaryIO]:
        """The content, as a file of this machine. Raises NotAFile, Gone."""
        ...

    def settle(self, dropped: Dropped, outcome: Outcome, named: str, beside: Mapping[str, bytes]) -> str:
        """Put `beside` (by suffix) and then the file itself under its outcome; says where.

        A file that was replaced since it was taken stays: it is another upload.
        """
        ...


def drop_of(world: World, line: str) -> Drop:
    settings = world.settings
    if settings.store.kind == "s3" and settings.intake.drop_dir is None:
        from ratchet.clients.s3 import S3Bucket

        return S3Drop(S3Bucket(settings.store, settings.secrets), f"drop/{line}/", world)
    return LocalDrop(settings.drop_dir(line))


def is_whole(name: str) -> bool:
    """Not hidden, and not named like something that is still being copied."""
    return not name.startswith(".") and not name.lower().endswith(UNFINISHED)


def check_name(name: str) -> str:
    """Raises BadName for what is no plain name of a whole file in the folder itself."""
    if (
        not name
        or name != PurePosixPath(name).name
        or "\\" in name
        or not name.isprintable()
        or len(name) > MAX_NAME_CHARACTERS
        or not is_whole(name)
    ):
        raise BadName(
            f"{name[:MAX_NAME_CHARACTERS]!r} is no name of a whole file in the drop folder: expected a plain name such "
            f"as monday.csv, without folders, at most {MAX_NAME_CHARACTERS} characters, not hidden and not ending in "
            f"{', '.join(UNFINISHED)}"
        )
    return name


class LocalDrop:
    """A folder. Links are never followed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def where(self) -> str:
        return str(self.folder)

    def waiting(self) -> list[Dropped]:
        names = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        found = (self._look(name) for name in names if is_whole(name))
        return [dropped for dropped in found if dropped]

    def find(self, name: str) -> Dropped:
        dropped = self._look(check_name(name))
        if dropped is None:
            raise Gone(f"no file {name!r} waits in {self.folder}: it was taken before, or never there")
        return dropped

    @contextmanager
    def opened(self, dropped: Dropped) -> Iterator[BinaryIO]:
        path = self.folder / dropped.name
        try:
            # O_NONBLOCK: opening a pipe that nobody writes to must not wait for ever.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise Gone(f"{path} is gone: it was taken before") from None
        except OSError as error:
            raise NotAFile(f"{dropped.name} cannot be taken: {_what(path, error)}; expected a plain file") from None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NotAFile(f"{dropped.name} is no plain file: expected one, not a folder, a pipe or a device")
            yield file

    def settle(self, dropped: Dropped, outcome: Outcome, named: str, beside: Mapping[str, bytes]) -> str:
        target = self.folder / outcome / named
        for suffix, content in beside.items():
            replace_file(target.with_name(f"{named}{suffix}"), content)
        if self._look(dropped.name) == dropped:
            (self.folder / dropped.name).rename(target)
        return str(target)

    def _look(self, name: str) -> Dropped | None:
        """None for a folder, and for what is not there."""
        try:
            found = (self.folder / name).lstat()
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(found.st_mode):
            return None
        return Dropped(name, f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}")


class S3Drop:
    """A prefix of a bucket. An object is there whole or not at all."""

    def __init__(self, bucket: "S3Bucket", prefix: str, world: World) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._world = world

    @property
    def where(self) -> str:
        return f"s3://{self._bucket.bucket}/{self._bucket.prefix}{self._prefix}"

    def waiting(self) -> list[Dropped]:
        listed = ((key.removeprefix(self._prefix), stamp) for key, stamp in self._bucket.stamps(self._prefix))
        return [Dropped(name, stamp) for name, stamp in listed if name and "/" not in name and is_whole(name)]

    def find(self, name: str) -> Dropped:
        check_name(name)
        found = next((dropped for dropped in self.waiting() if dropped.name == name), None)
        if found is None:
            raise Gone(f"no object {name!r} waits in {self.where}: it was taken before, or never there")
        return found

    @contextmanager
    def opened(self, dropped: Dropped) -> Iterator[BinaryIO]:
        with self._world.scratch() as folder:
            try:
                self._bucket.fetch(self._prefix + dropped.name, folder / "object")
            except KeyError:
                raise Gone(f"{self.where}{dropped.name} is gone: it was taken before") from None
            with (folder / "object").open("rb") as file:
                yield file

    def settle(self, dropped: Dropped, outcome: Outcome, named: str, beside: Mapping[str, bytes]) -> str:
        target = f"{self._prefix}{outcome}/{named}"
        with self._world.scratch() as folder:
            for suffix, content in beside.items():
                (folder / "beside").write_bytes(content)
                self._bucket.create(f"{target}{suffix}", folder / "beside")
            if dropped in self.waiting():
                self._bucket.fetch(self._prefix + dropped.name, folder / "object")
                self._bucket.create(target, folder / "object")
                self._bucket.delete(self._prefix + dropped.name)
        return f"{self.where}{outcome}/{named}"


def unchanged(before: list[Dropped], now: list[Dropped]) -> list[Dropped]:
    """What two looks saw alike, and so is whole as far as anybody can tell from outside."""
    seen = set(before)
    return [dropped for dropped in now if dropped in seen]


def _what(path: Path, error: OSError) -> str:
    return "it is a symbolic link" if path.is_symlink() else error.strerror or str(error)
