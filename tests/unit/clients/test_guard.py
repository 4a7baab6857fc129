"""The guard takes its process tree along, whatever ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ratchet.clients import guard

# Writes its own and its child's process id, then both wait; both ignore TERM when told so.
TREE = """
import os, signal, subprocess, sys, time
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1] + ".part", "w").write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(60)
"""


def start_tree(pids: Path, manner: str, parent: str = "") -> "subprocess.Popen[bytes]":
    command = [sys.executable, guard.__file__, "--grace", "0.5", sys.executable, "-c", TREE, str(pids), manner]
    if parent:
        command = [sys.executable, "-c", parent, *command]
    return subprocess.Popen(command)


def tree_of(pids: Path) -> list[int]:
    deadline = time.monotonic() + 20
    while not pids.exists():
        assert time.monotonic() < deadline, "the tree did not start"
        time.sleep(0.05)
    return [int(pid) for pid in pids.read_text().split()]


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        alive = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
        if not alive:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("manner", ["obedient", "stubborn"])
def test_a_terminated_guard_ends_the_whole_tree(tmp_path: Path, manner: str) -> None:
    process = start_tree(tmp_path / "pids", manner)
    pids = tree_of(tmp_path / "pids")

    process.terminate()
    process.wait(10)

    assert gone(pids)


def test_a_guard_whose_parent_was_killed_ends_the_whole_tree(tmp_path: Path) -> None:
    waits = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    process = start_tree(tmp_path / "pids", "stubborn", parent=waits)
    pids = tree_of(tmp_path / "pids")

    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)

    assert gone(pids)


def test_a_guard_whose_parent_went_before_it_could_look_ends_the_whole_tree(tmp_path: Path) -> None:
    gone_already = subprocess.Popen(["true"])
    gone_already.wait()
    command = [sys.executable, guard.__file__, "--parent", str(gone_already.pid), "sleep", "60"]

    assert subprocess.run(command, timeout=30, check=False).returncode == 128 + signal.SIGTERM


def test_a_child_left_behind_by_the_command_is_ended_too(tmp_path: Path) -> None:
    leaves = f"{TREE.rsplit('time.sleep', 1)[0]}"
    command = [
        sys.executable,
        *(guard.__file__, "--grace", "0.5"),
        *(sys.executable, "-c", leaves, str(tmp_path / "pids"), ""),
    ]

    subprocess.run(command, check=True, timeout=30)

    assert gone(tree_of(tmp_path / "pids"))


@pytest.mark.parametrize(("ending", "code"), [("sys.exit(65)", 65), ("os.kill(os.getpid(), 9)", 137), ("pass", 0)])
def test_the_guard_passes_the_exit_code_on(ending: str, code: int) -> None:
    command = [sys.executable, guard.__file__, sys.executable, "-c", f"import os, sys; {ending}"]

    assert subprocess.run(command, timeout=30, check=False).returncode == code
