"""Native code runs in a process of its own: its crash, its hang or its hunger ends that process, and we say which."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ratchet.clients.files import DiskFull
from ratchet.clients.memory import MIB
from ratchet.convert.preflight import disk_room
from ratchet.core.errors import Cancelled, TerminalError
from ratchet.core.log import progress
from ratchet.core.telemetry import span

NUM_THREADS_VARIABLE = "OMP_NUM_THREADS"  # torch reads it by itself
_REPORT_EVERY_SECONDS = 5.0
_TAIL_CHARACTERS = 2000
_FULL_BYTES = 16 * MIB


class ConvertTimeout(TerminalError, TimeoutError):
    """CONVERT_TIMEOUT: the process did not end before the deadline."""

    code = "CONVERT_TIMEOUT"


class ConvertCrashed(TerminalError, RuntimeError):
    """CONVERT_CRASHED: a signal ended the process (a segmentation fault, the kernel's memory killer)."""

    code = "CONVERT_CRASHED"


class ConvertFailed(TerminalError, RuntimeError):
    """CONVERT_FAILED: the process raised an error; the message ends with what it said."""

    code = "CONVERT_FAILED"


def run_contained(
    module: str,
    arguments: Sequence[str],
    *,
    doing: str,
    log_file: Path,
    deadline_seconds: float,
    num_threads: int = 0,
) -> None:
    """Run `python -m module arguments…` to its end; what it prints goes to `log_file`, and its end into our errors.

    Args:
        doing: names the work in errors and progress lines, e.g. "export to LiteRT".
        num_threads: 0 is one per core.
    Raises:
        ConvertTimeout, ConvertCrashed, ConvertFailed, DiskFull, Cancelled: as their names say. The process is gone.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # imports what this process imports
        "PYTHONHASHSEED": "0",  # the order of a set must not reach the files: the same model, the same bytes
        "HF_HUB_OFFLINE": "1",
        NUM_THREADS_VARIABLE: str(num_threads or len(os.sched_getaffinity(0))),
    }
    command = [sys.executable, "-m", module, *arguments]
    with (
        span(doing),
        log_file.open("wb") as output,
        subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process,
    ):
        try:
            return_code = _wait(process, doing, deadline_seconds)
        finally:
            process.kill()  # nothing when it has ended; also when this process is told to stop
    if return_code == 0:
        return
    said = f"It said last:\n{_tail(log_file)}"
    if return_code is None:
        raise ConvertTimeout(
            f"CONVERT_TIMEOUT: {doing} took longer than its {deadline_seconds:.0f} s and was stopped; raise "
            f"deadline_seconds, or give the step more cores. {said}"
        )
    if return_code in (-signal.SIGTERM, -signal.SIGINT):  # sent to the whole process group: this process is meant too
        raise Cancelled(f"told to stop: {doing}")
    if disk_room(log_file.parent).free < _FULL_BYTES:
        raise DiskFull(f"the disk of {log_file.parent} filled up: {doing}; free space, then run again. {said}")
    if return_code < 0:
        raise ConvertCrashed(f"CONVERT_CRASHED: {doing} was ended by {_signal_name(-return_code)}. {said}")
    raise ConvertFailed(f"CONVERT_FAILED: {doing} ended with exit code {return_code}. {said}")


def _wait(process: subprocess.Popen[bytes], doing: str, deadline_seconds: float) -> int | None:
    """The return code, or None when the deadline came first."""
    started = time.monotonic()
    while (left := started + deadline_seconds - time.monotonic()) > 0:
        progress(doing=doing, seconds=round(time.monotonic() - started))
        try:
            return process.wait(min(_REPORT_EVERY_SECONDS, left))
        except subprocess.TimeoutExpired:
            continue
    return None


def _signal_name(number: int) -> str:
    if number == signal.SIGKILL:
        return "SIGKILL, as when memory runs out: run the step where there is more"
    return signal.Signals(number).name


def _tail(log_file: Path) -> str:
    return log_file.read_text("utf-8", errors="replace")[-_TAIL_CHARACTERS:].strip() or "(nothing)"
