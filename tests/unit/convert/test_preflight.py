from pathlib import Path

import pytest

from ratchet.clients.files import DiskFull
from ratchet.clients.memory import MIB, MemoryBusy, NotEnoughMemory, Room
from ratchet.convert.preflight import DiskTooSmall, check_disk, check_memory, disk_room
from ratchet.core.errors import TerminalError, TransientError

MODEL_BYTES = 12 * MIB  # needs 160 MiB of disk and 1144 MiB of memory


def test_a_machine_with_room_is_accepted_to_the_byte() -> None:
    check_disk(MODEL_BYTES, Path("/state"), Room(free=160 * MIB, total=160 * MIB))
    check_memory(MODEL_BYTES, Room(free=1144 * MIB, total=1144 * MIB))


@pytest.mark.parametrize(
    ("room", "error"),
    [(Room(free=160 * MIB - 1, total=500 * MIB), DiskFull), (Room(free=159 * MIB, total=160 * MIB - 1), DiskTooSmall)],
)
def test_a_disk_without_room_is_refused_with_needed_and_free(room: Room, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"needs 160 MiB of disk in /state, and 1\d\d MiB of \d+ MiB are free"):
        check_disk(MODEL_BYTES, Path("/state"), room)


@pytest.mark.parametrize(
    ("room", "error"),
    [
        (Room(free=1144 * MIB - 1, total=4096 * MIB), MemoryBusy),
        (Room(free=1144 * MIB - 1, total=1144 * MIB - 1), NotEnoughMemory),
    ],
)
def test_a_machine_without_memory_is_refused_with_needed_and_available(room: Room, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"needs 1,144 MiB of memory, and 1,144 MiB of [\d,]+ MiB are available"):
        check_memory(MODEL_BYTES, room)


def test_a_retry_is_offered_only_where_waiting_can_help() -> None:
    assert issubclass(DiskFull, TransientError)
    assert issubclass(MemoryBusy, TransientError)
    assert issubclass(DiskTooSmall, TerminalError)
    assert issubclass(NotEnoughMemory, TerminalError)


def test_disk_room_is_that_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    room = disk_room(tmp_path / "not" / "yet")

    assert room == disk_room(tmp_path) or abs(room.free - disk_room(tmp_path).free) < 64 * MIB
    assert 0 < room.free <= room.total
