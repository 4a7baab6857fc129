from pathlib import Path

import pytest

from ratchet.clients.memory import MIB, Room, memory_room


def _meminfo(folder: Path) -> Path:
    (folder / "meminfo").write_text(
        "MemTotal:       24576 kB\nMemFree: 1024 kB\nMemAvailable:   20480 kB\nHugePages_Total: 0\n"
    )
    return folder


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [
        ("max", "1", Room(free=20 * MIB, total=24 * MIB)),
        (str(8 * MIB), str(3 * MIB), Room(free=5 * MIB, total=8 * MIB)),
        (str(8 * MIB), str(9 * MIB), Room(free=0, total=8 * MIB)),
        (str(99 * MIB), str(1 * MIB), Room(free=20 * MIB, total=24 * MIB)),
    ],
)
def test_memory_room_is_the_smaller_of_machine_and_container(
    tmp_path: Path, limit: str, used: str, expected: Room
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")

    assert memory_room(proc=_meminfo(tmp_path), cgroup=tmp_path) == expected


def test_files_that_the_kernel_can_drop_take_no_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{8 * MIB}\n")
    (tmp_path / "memory.current").write_text(f"{7 * MIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon {MIB}\ninactive_file {5 * MIB}\nactive_file {MIB}\n")

    assert memory_room(proc=_meminfo(tmp_path), cgroup=tmp_path).free == 6 * MIB


def test_memory_room_without_a_cgroup_is_the_machines(tmp_path: Path) -> None:
    assert memory_room(proc=_meminfo(tmp_path), cgroup=tmp_path / "none") == Room(free=20 * MIB, total=24 * MIB)
