"""Owns one process tree and takes it along when it goes: `python guard.py [--grace SECONDS] COMMAND…`

Standard library only: it runs under any interpreter. It ends the tree (TERM, then KILL after the grace) when it is told
to stop, when its own parent is gone, even by SIGKILL, and when the command itself ended but left something behind.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

POLL_SECONDS = 0.2
# Airflow kills a task 5 s after it told it to stop; the tree must be gone before.
DEFAULT_GRACE_SECONDS = 2.0


def main(arguments: list[str]) -> int:
    grace = DEFAULT_GRACE_SECONDS
    if arguments[:1] == ["--grace"]:
        grace, arguments = float(arguments[1]), arguments[2:]
    told_to_stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: told_to_stop.append(received))
    parent = os.getppid()
    child = subprocess.Popen(arguments, start_new_session=True)
    while child.poll() is None and not told_to_stop and os.getppid() == parent:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(POLL_SECONDS)
    end_group(child, grace)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def end_group(child: "subprocess.Popen[bytes]", grace: float) -> None:
    """TERM to the whole group, KILL to what is left of it after `grace` seconds."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline:
            child.poll()  # reap the leader, or its group never empties
            os.killpg(child.pid, 0)
            time.sleep(0.05)
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
