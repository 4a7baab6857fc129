"""Stopping the embedded platform leaves nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from ratchet.clients import guard
from ratchet.clients.settings import SECRETS_VARIABLE, Settings
from ratchet.local import platform

# Says that it is there, then does not listen.
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""


def test_a_step_that_outlived_its_task_is_waited_for(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, state_dir=tmp_path / "state")
    task = ["import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()", sys.executable, guard.__file__]
    step = [sys.executable, "-c", STUBBORN, str(tmp_path / "started")]
    environment = {**os.environ, SECRETS_VARIABLE: str(settings.secrets)}
    process = subprocess.Popen([sys.executable, "-c", *task, *step], env=environment)
    while not (tmp_path / "started").exists():
        assert process.poll() is None
        time.sleep(0.05)
    tree = psutil.Process(process.pid).children(recursive=True)

    process.kill()
    process.wait()
    platform.end_leftover(settings)

    assert len(tree) == 2
    assert [left for left in tree if left.is_running() and left.status() != psutil.STATUS_ZOMBIE] == []


def test_another_platforms_steps_are_left_alone(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, state_dir=tmp_path / "state")
    environment = {**os.environ, SECRETS_VARIABLE: str(tmp_path / "another" / "secrets")}
    process = subprocess.Popen([sys.executable, guard.__file__, "sleep", "60"], env=environment)

    platform.end_leftover(settings)

    assert process.poll() is None
    process.terminate()
    process.wait(10)
