"""The step as a process of its own, stopped and killed while it trains, against a run without interruption."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.steps.finetune.rows import inputs_for, new_world
from tests.steps.models import make_tiny_model

from ratchet.clients.world import World
from ratchet.core.errors import EXIT_DONE, EXIT_TRANSIENT
from ratchet.core.refs import digest_folder
from ratchet.finetune.contract import FinetuneOutputs
from ratchet.finetune.run import run

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Ended:
    exit_code: int
    stdout: str
    events: list[dict[str, object]]
    checkpoints: list[str]

    def event(self, name: str) -> dict[str, object]:
        return next(event for event in self.events if event["event"] == name)


class Machine:
    """A place with a store, where `python -m ratchet finetune` runs; tracking is away (nobody listens there)."""

    def __init__(self, root: Path, base: Path) -> None:
        self.root = root
        (root / "ratchet.toml").write_text("step_threads = 1\n[ports]\nmlflow = 1\n")
        (root / "containers" / "train").mkdir(parents=True)
        (root / "containers" / "train" / "requirements.cpu.txt").touch()  # part of the step's key
        self.world: World = new_world(root)
        self.inputs = inputs_for(self.world, base, save_steps=4)
        (root / "inputs.json").write_text(self.inputs.model_dump_json())

    def start(self, send: signal.Signals | None = None, at_step: int = 0) -> Ended:
        """Run to the end, or send a signal as soon as the checkpoint of `at_step` is sealed."""
        process = subprocess.Popen(
            [sys.executable, "-m", "ratchet", "finetune", f"@{self.root / 'inputs.json'}"],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "tasks"),
                "RATCHET_CONFIG": str(self.root / "ratchet.toml"),
                "HF_HUB_OFFLINE": "1",
            },
            stdout=subprocess.PIPE,
            stderr=(self.root / "log").open("w"),
            text=True,
        )
        if send:
            self._wait_for(at_step, process)
            process.send_signal(send)
        stdout, _ = process.communicate(timeout=240)
        lines = (self.root / "log").read_text().splitlines()
        events = [json.loads(line) for line in lines if line.startswith('{"at"')]
        return Ended(process.returncode, stdout, events, [path.name for path in sorted(self._checkpoints())])

    def newest(self) -> Path:
        return max(self._checkpoints(), key=lambda path: int(path.name.removeprefix("checkpoint-")))

    def _checkpoints(self) -> list[Path]:
        return list((self.root / ".ratchet" / "work").glob("*/checkpoints/checkpoint-*"))

    def _wait_for(self, step: int, process: "subprocess.Popen[str]") -> None:
        deadline = time.monotonic() + 200
        while not any((p / "manifest.json").exists() and p.name == f"checkpoint-{step}" for p in self._checkpoints()):
            assert process.poll() is None, (self.root / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.002)


@dataclass(frozen=True)
class Story:
    straight: FinetuneOutputs
    stopped: Ended
    killed: Ended
    finished: Ended
    torn: Path
    machine: Machine

    @property
    def resumed(self) -> FinetuneOutputs:
        return FinetuneOutputs.model_validate_json(self.finished.stdout)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """One run straight through; another stopped after step 4, killed after step 12, its newest checkpoint torn."""
    base = make_tiny_model(tmp_path_factory.mktemp("base") / "model", layers=4, hidden=128)
    machine = Machine(tmp_path_factory.mktemp("killed"), base)
    straight = run(machine.inputs, machine.world)  # its own work folder: that one is not named after the key
    stopped = machine.start(signal.SIGTERM, at_step=4)
    killed = machine.start(signal.SIGKILL, at_step=12)
    torn = machine.newest().with_name("checkpoint-19")
    shutil.copytree(machine.newest(), torn)
    (torn / "manifest.json").unlink()
    (torn / "optimizer.pt").unlink()
    return Story(straight, stopped, killed, machine.start(), torn, machine)


def test_the_ends_are_told_apart(story: Story) -> None:
    codes = [ended.exit_code for ended in (story.stopped, story.killed, story.finished)]

    assert codes == [EXIT_TRANSIENT, -signal.SIGKILL, EXIT_DONE]


def test_a_stop_leaves_a_checkpoint_of_the_very_step_it_came_in(story: Story) -> None:
    last = max(int(name.removeprefix("checkpoint-")) for name in story.stopped.checkpoints)

    assert 4 <= last < 12
    assert story.killed.event("resumed")["step"] == last


def test_killed_and_resumed_is_equal_to_the_bit(story: Story) -> None:
    straight, resumed = story.straight, story.resumed

    assert resumed.adapter.sha256 == straight.adapter.sha256
    assert resumed.model.sha256 == straight.model.sha256
    assert resumed.first_loss == straight.first_loss
    assert resumed.last_loss == straight.last_loss
    assert resumed.validation_loss == straight.validation_loss


def test_resumes_are_counted_and_a_torn_checkpoint_is_not_one(story: Story) -> None:
    assert story.straight.num_resumes == 0
    assert story.resumed.num_resumes == 2
    assert story.finished.event("checkpoint ignored")["step"] == 19
    assert story.finished.event("resumed")["step"] in (12, 16)


def test_the_log_has_every_step_once_over_all_attempts(story: Story) -> None:
    log = story.machine.world.store.read_bytes(story.resumed.training_log)

    assert [json.loads(line)["step"] for line in log.splitlines()] == [*range(1, 21), 20]


def test_stdout_is_the_outputs_and_nothing_else(story: Story) -> None:
    assert json.loads(story.finished.stdout)["num_steps"] == 20


def test_the_stored_adapter_is_what_its_digest_says(story: Story, tmp_path: Path) -> None:
    adapter = story.resumed.adapter

    folder = story.machine.world.store.fetch_folder(adapter, tmp_path / "adapter")

    assert digest_folder(folder) == adapter.sha256
