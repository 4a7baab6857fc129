"""The line that closes a step's log and tells its whole story: one for each attempt, whatever its end.

A record: {"event": "ended", "step": "gate", "key": "0c5ff2…", "run": "manual__1", "attempt": "1", "outcome": "failed",
"exit_code": 65, "code": "GATE_MISSING_EVIDENCE", "wall_seconds": 1.2, "peak_memory_mib": 91.4, "bytes_read": 52113,
"bytes_written": 120, "trace_id": null}
"""

import resource
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ratchet.core.errors import EXIT_DONE, Cancelled, NothingToDo, code_of, exit_code_of
from ratchet.core.log import log, trace_id

ENDED = "ended"


@dataclass
class Closing:
    """What is known of the attempt so far; `key` once its inputs are read."""

    step: str
    run: str
    attempt: str
    key: str | None = None
    outcome: str = "done"
    began: float = field(default_factory=time.monotonic)

    def say(self, error: BaseException | None = None) -> int:
        """Write the line; returns the exit code."""
        exit_code = exit_code_of(error) if error else EXIT_DONE
        known = {name: value for name, value in asdict(self).items() if name != "began"}
        how = {
            "outcome": _outcome(error) if error else self.outcome,
            "exit_code": exit_code,
            "code": code_of(error) if error else None,
            "wall_seconds": round(time.monotonic() - self.began, 3),
            "peak_memory_mib": peak_memory_mib(),
            **bytes_moved(),
            "trace_id": trace_id(),
        }
        log.info(ENDED, extra=known | how)
        return exit_code


def _outcome(error: BaseException) -> str:
    if isinstance(error, NothingToDo):
        return "skipped"
    return "stopped" if code_of(error) == Cancelled.code else "failed"


def peak_memory_mib() -> float:
    """Largest resident set of this process or any one child so far; Linux counts it in KiB."""
    largest = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(largest / 1024, 1)


def bytes_moved(io: Path = Path("/proc/self/io")) -> dict[str, int | None]:
    """What this process and its ended children read and wrote, caches and imports included, memory maps not; None
    where the kernel does not count it (proc(5), rchar and wchar).
    """
    try:
        counts = dict(line.split(": ") for line in io.read_text("ascii").splitlines())
    except OSError:
        counts = {}
    return {name: int(counts[count]) if count in counts else None for name, count in _COUNTED.items()}


_COUNTED = {"bytes_read": "rchar", "bytes_written": "wchar"}
