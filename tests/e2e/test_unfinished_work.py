"""Stopped in the middle of a training: nothing stays behind, and the work goes on where it was."""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from tests.e2e.conftest import RATCHET, ROOT, Platform
from tests.e2e.test_main_path import chat

from ratchet.clients import manifests
from ratchet.core.releases import production
from ratchet.local import sample

pytestmark = pytest.mark.timeout(2700)


def test_a_training_that_was_stopped_with_the_platform_goes_on_after_the_next_start(
    platform: Platform, demo: object, tmp_path: Path
) -> None:
    before = production(platform.world.ledger("support").events())
    sample.generate(tmp_path / "other.csv", seed=8, num_rows=1000)  # in the place of the demo's: a shorter training
    assert platform.ratchet("submit", str(tmp_path / "other.csv"), "--replace").returncode == 0
    known = set(platform.world.store.keys("manifests/finetune/"))
    watching = start_watching(platform)
    until(lambda: sealed_checkpoints(platform), "a checkpoint", watching)

    stopped = platform.ratchet("down")

    assert stopped.returncode == 0, stopped.stderr
    watching.terminate()
    watching.wait(timeout=60)
    assert open_ports(platform) == []
    assert processes_of(platform) == []
    assert set(platform.world.store.keys("manifests/finetune/")) == known
    assert production(platform.world.ledger("support").events()) == before

    started = platform.ratchet("up")

    assert started.returncode == 0, started.stdout + started.stderr
    assert chat(platform, "my parcel is late").status_code == 200
    watching = start_watching(platform)
    (key,) = until(lambda: set(platform.world.store.keys("manifests/finetune/")) - known, "the fine-tune", watching)
    watching.terminate()
    watching.wait(timeout=60)
    manifest = manifests.find(platform.world.store, "finetune", key.rpartition("/")[2].removesuffix(".json"))
    assert manifest
    assert manifest.outputs["num_resumes"] >= 1


def start_watching(platform: Platform) -> "subprocess.Popen[bytes]":
    command = [str(RATCHET), "--config", str(platform.config), "retrain"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


Found = TypeVar("Found")


def until(look: Callable[[], Found], what: str, watching: "subprocess.Popen[bytes]", seconds: float = 600) -> Found:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"no sign of {what} after {seconds:.0f} s"
        assert watching.poll() is None, f"`ratchet retrain` ended with {watching.returncode} before {what} was seen"
        time.sleep(1)
    return found


def sealed_checkpoints(platform: Platform) -> list[Path]:
    return list(platform.settings.state.glob("work/**/checkpoints/checkpoint-*/manifest.json"))


def open_ports(platform: Platform) -> list[int]:
    found = []
    for port in platform.settings.ports.model_dump().values():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(port)
    return found


def processes_of(platform: Platform) -> list[str]:
    """Command lines of whatever has the platform's folder in its arguments or its environment, but for this test."""
    home = str(platform.config.parent).encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
        if home in line + environment and int(folder.name) != os.getpid():
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found
