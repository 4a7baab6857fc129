"""Owns one process tree and takes it along when it goes: `python guard.py [--grace SECONDS] [--parent PID] COMMAND…`

Standard library only: it runs under any interpreter. It ends the tree (TERM, then KILL after the grace) when it is told
to stop, when its own parent is gone, even by SIGKILL, and when the command itself ended but left something behind.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time

POLL_SECONDS = 0.2
# Airflow kills a task 5 s after it told it to stop; the tree must be gone before.
DEFAULT_GRACE_SECONDS = 2.0


def guarded(*command: str) -> list[str]:
    """`command` under a guard of this very process."""
    return [sys.executable, __file__, "--parent", str(os.getpid()), *command]


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    told_to_stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: told_to_stop.append(received))
    # A parent that is told to us counts as gone even if it went before we could look.
    parent = options.parent or os.getppid()
    child = subprocess.Popen(options.command, start_new_session=True)
    while child.poll() is None and not told_to_stop and os.getppid() == parent:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(POLL_SECONDS)
    end_group(child, options.grace)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--grace", type=float, default=DEFAULT_GRACE_SECONDS)
    parser.add_argument("--parent", type=int)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
