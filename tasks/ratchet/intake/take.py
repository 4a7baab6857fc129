"""A file comes into the store as it is at one moment: one that is still being written is not taken."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ratchet.clients.world import World
from ratchet.core.errors import TransientError
from ratchet.core.refs import CHUNK_BYTES, FileRef


class StillWritten(TransientError, OSError):
    """The file changed while it was read."""

    code = "DATA_ARRIVING"


def take(world: World, source: BinaryIO, name: str, on_bytes: Callable[[int], None] = lambda _: None) -> FileRef:
    """Copy the open file, look whether it stood still, and put the copy into the store.

    The store names bytes by their digest before it copies them, so it must never be given a file that others change.
    `on_bytes` is told how many bytes were copied, chunk by chunk. Raises StillWritten.
    """
    with world.scratch() as folder:
        before = _State.of(source)
        copied = folder / "upload"
        num_bytes = _copy(source, before.num_bytes, copied, on_bytes)
        if _State.of(source) != before or num_bytes != before.num_bytes:
            raise StillWritten(
                f"{name} changed while it was read, so it is still being written: nothing was taken; "
                "hand it in again when it is whole"
            )
        return world.store.put_file(copied)


@dataclass(frozen=True)
class _State:
    num_bytes: int
    changed_ns: int

    @classmethod
    def of(cls, source: BinaryIO) -> "_State":
        found = os.fstat(source.fileno())
        return cls(found.st_size, found.st_mtime_ns)


def _copy(source: BinaryIO, expected: int, target: Path, on_bytes: Callable[[int], None]) -> int:
    """Ends after the expected bytes: a file may grow as fast as it is read."""
    num_bytes = 0
    with target.open("wb") as copy:
        while num_bytes <= expected and (chunk := source.read(CHUNK_BYTES)):
            num_bytes += copy.write(chunk)
            on_bytes(len(chunk))
    return num_bytes
