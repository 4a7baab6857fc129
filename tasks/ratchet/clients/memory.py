"""Is there memory for what is about to start? Who runs dry dies late, says little, and may take others along."""

from dataclasses import dataclass
from pathlib import Path

from ratchet.core.errors import TerminalError, TransientError

MIB = 1 << 20


class NotEnoughMemory(TerminalError, MemoryError):
    """This machine is too small for this model."""

    code = "OUT_OF_MEMORY"


class MemoryBusy(TransientError, MemoryError):
    """The machine is large enough, and others use it now."""

    code = "OUT_OF_MEMORY"


@dataclass(frozen=True)
class Room:
    """In bytes. What is needed is compared with both: `total` is for ever, `free` is now."""

    free: int
    total: int


def memory_room(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> Room:
    """Of the machine, or of the container where that has less."""
    lines = (proc / "meminfo").read_text("ascii").splitlines()
    fields = {name: int(value.split()[0]) * 1024 for name, _, value in (line.partition(":") for line in lines)}
    room = Room(free=fields["MemAvailable"], total=fields["MemTotal"])
    try:
        limit = int((cgroup / "memory.max").read_text("ascii"))  # "max", which is no number, means no limit
        used = int((cgroup / "memory.current").read_text("ascii")) - _cached(cgroup)
    except (OSError, ValueError):
        return room
    return Room(free=min(room.free, max(0, limit - used)), total=min(room.total, limit))


def check_room(told: str, needed: int, room: Room, larger: str) -> None:
    """Raise where `needed` bytes are not there: for ever, or now.

    Args:
        told: who needs how much for what; begins the message.
        larger: what to do where the machine is too small.
    Raises:
        NotEnoughMemory, MemoryBusy.
    """
    told = f"{told}, and {mib(room.free)} of {mib(room.total)} are available"
    if needed > room.total:
        raise NotEnoughMemory(f"{told}; {larger}")
    if needed > room.free:
        raise MemoryBusy(f"{told}; stop what else runs here, or wait, then run again")


def _cached(cgroup: Path) -> int:
    """Bytes of files that the kernel drops when somebody needs the memory; 0 where it does not say."""
    try:
        lines = (cgroup / "memory.stat").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)


def mib(num_bytes: int) -> str:
    return f"{num_bytes / MIB:,.0f} MiB"
