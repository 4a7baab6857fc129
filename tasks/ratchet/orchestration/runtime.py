"""The process runtime: a step in its image's environment on this machine."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ratchet.clients.process import started, step_environment
from ratchet.clients.settings import Settings
from ratchet.core.contract import Contract
from ratchet.core.readable import readable_line
from ratchet.core.telemetry import PARENT_VARIABLE, RunTrace
from ratchet.steps import Step


@dataclass(frozen=True)
class Work:
    """One attempt at one step's work."""

    step: Step
    inputs: Contract
    key: str
    run_id: str
    attempt: str
    trace: RunTrace


class ProcessRuntime:
    def __init__(self, settings: Settings, config: Path) -> None:
        self._settings = settings
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, work: Work, on_line: Callable[[str], None]) -> int:
        """Do the work, pass its log on line by line, return its exit code."""
        python = self._settings.python(work.step.image)
        run = {
            "RATCHET_RUN_ID": work.run_id,
            "RATCHET_ATTEMPT": work.attempt,
            PARENT_VARIABLE: work.trace.traceparent,
        }
        environment = step_environment(self._settings, self._config, run)
        with started(python, work.step.name, work.inputs.canonical_json(), environment) as self._process:
            for line in self._process.stderr or ():
                on_line(readable_line(line.decode("utf-8", "replace").rstrip("\n")))
            return self._process.wait()

    def kill(self) -> None:
        """End the work and everything it started."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
