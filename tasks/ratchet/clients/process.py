"""Run one step as a process in its image's environment, the way a pod would run it in its image."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ratchet.clients import guard
from ratchet.clients.settings import CONFIG_VARIABLE, SECRETS_VARIABLE, Settings
from ratchet.core.errors import NotSetUp

# Nothing else of the caller's environment reaches a step: no token, no AIRFLOW__ variable.
INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "KUBECONFIG",
)
# The hub is never asked: models come from the store by digest.
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "DO_NOT_TRACK": "1", "TOKENIZERS_PARALLELISM": "false"}


# Threads that wait for each other sleep: spinning ones starve whatever else runs on the same cores (vLLM, Airflow).
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}


def step_environment(settings: Settings, config: Path, run: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a step's process. `run` holds RATCHET_RUN_ID, RATCHET_ATTEMPT and the trace context."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    secrets = {SECRETS_VARIABLE: str(settings.secrets)}
    return {**inherited, **OFFLINE, **PATIENT, **secrets, **run, CONFIG_VARIABLE: str(config), "PYTHONUNBUFFERED": "1"}


@contextmanager
def started(
    python: Path, step: str, inputs: bytes, environment: dict[str, str], stdout: int = subprocess.DEVNULL
) -> Iterator["subprocess.Popen[bytes]"]:
    """The step's process under its guard; leaving the block ends the whole tree if it still runs."""
    if not python.is_file():
        raise NotSetUp(f"no environment for step {step}: expected {python}; run `make setup`")
    command = guard.guarded(str(python), "-m", "ratchet", step, "-")
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE)
    try:
        stdin = _pipe(process.stdin)
        stdin.write(inputs)
        stdin.close()
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()


def run_step(
    python: Path, step: str, inputs: bytes, environment: dict[str, str], on_line: Callable[[str], None]
) -> tuple[int, bytes]:
    """Run to the end, `on_line` seeing each line of its log as it is written.

    Returns the exit code (core/errors.py) and what the step wrote to stdout, its outputs.
    """
    # Outputs are small (refs, numbers, names), so that the pipe holds them while the log is read.
    with started(python, step, inputs, environment, stdout=subprocess.PIPE) as process:
        for line in _pipe(process.stderr):
            on_line(line.decode("utf-8", "replace").rstrip("\n"))
        return process.wait(), _pipe(process.stdout).read()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise AssertionError("the process was started with pipes")
    return stream
