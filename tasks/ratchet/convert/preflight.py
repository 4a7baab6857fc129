"""Is there room for a conversion? Asked before it starts, since a converter that runs dry dies late and says little."""

import os
from pathlib import Path

from ratchet.clients.files import DiskFull
from ratchet.clients.memory import MIB, Room, check_room, mib
from ratchet.core.errors import TerminalError

# Measured, fp32 weights of 12 MB and 606 MB: peak memory 0.8 and 3.5 GiB, so 4.8 bytes per byte, and twice that where
# 16-bit weights become fp32. On disk: the model, its fp32 and int8 .tflite, the bundle, and the store's copy.
_BASE_MEMORY_BYTES = 1024 * MIB
_MEMORY_PER_MODEL_BYTE = 10
_BASE_DISK_BYTES = 64 * MIB
_DISK_PER_MODEL_BYTE = 8


class DiskTooSmall(TerminalError, OSError):
    """This file system is too small for this conversion, even with nothing else on it."""

    code = "DISK_FULL"


def check_disk(model_bytes: int, folder: Path, room: Room) -> None:
    """Raises DiskTooSmall or DiskFull."""
    needed = _BASE_DISK_BYTES + _DISK_PER_MODEL_BYTE * model_bytes
    told = (
        f"converting a model of {mib(model_bytes)} needs {mib(needed)} of disk in {folder}, "
        f"and {mib(room.free)} of {mib(room.total)} are free"
    )
    if needed > room.total:
        raise DiskTooSmall(f"{told}; move the state folder to a larger disk")
    if needed > room.free:
        raise DiskFull(f"{told}; free space, then run again: nothing was written")


def check_memory(model_bytes: int, room: Room) -> None:
    """Raises NotEnoughMemory or MemoryBusy."""
    needed = _BASE_MEMORY_BYTES + _MEMORY_PER_MODEL_BYTE * model_bytes
    told = f"converting a model of {mib(model_bytes)} needs {mib(needed)} of memory"
    check_room(told, needed, room, "run the step where there is more memory, or raise its limit")


def disk_room(folder: Path) -> Room:
    """Of the file system that holds `folder` (which need not exist yet)."""
    while not folder.exists():
        folder = folder.parent
    found = os.statvfs(folder)
    return Room(free=found.f_bavail * found.f_frsize, total=found.f_blocks * found.f_frsize)
