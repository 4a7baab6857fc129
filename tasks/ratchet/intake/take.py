"""A file comes into the store as it is at one moment: one that is still being written is not taken."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ratchet.clients.world import World
from ratchet.core.errors import TransientError
from ratchet.core.refs import CHUNK_BYTES, FileRef


class StillWritten(TransientError, OSError):
    """The file changed while it was read."""


def take(world: World, source: BinaryIO, name: str, on_bytes: Callable[[int], None] = lambda _: None) -> FileRef:
    """Copy the open file, look whether it stood still, and put the copy into the store.

    The store names bytes by their digest before it copies them, so it must never be given a file that others change.
    `on_bytes` is told how many bytes were copied, chunk by chunk. Raises StillWritten.
    """
    with world.scratch() as folder:
        before = _state(source)
        copied = folder / "upload"
        num_bytes = _copy(source, copied, on_bytes)
        if _state(source) != before or num_bytes != os.fstat(source.fileno()).st_size:
            raise StillWritten(
                f"{name} changed while it was read, so it is still being written: nothing was taken; "
                "hand it in again when it is whole"
            )
        return world.store.put_file(copied)


def _state(source: BinaryIO) -> tuple[int, int]:
    found = os.fstat(source.fileno())
    return found.st_size, found.st_mtime_ns


def _copy(source: BinaryIO, target: Path, on_bytes: Callable[[int], None]) -> int:
    num_bytes = 0
    with target.open("wb") as copy:
        while chunk := source.read(CHUNK_BYTES):
            num_bytes += copy.write(chunk)
            on_bytes(len(chunk))
    return num_bytes
