"""The serving half of the platform: supervisor, Envoy and vLLM as `ratchet up` runs them, on free ports."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.steps.serving.models import PROMPTS

from ratchet.clients import guard
from ratchet.clients.engine import LoadedModel
from ratchet.clients.openai import EngineAway, chat
from ratchet.clients.settings import Settings, load
from ratchet.clients.world import World
from ratchet.core.contract import digest_json
from ratchet.core.evaluation import EvalReport, MeasuringPlan, MetricSamples, TaskReport, sample_id
from ratchet.core.refs import FileRef, FolderRef
from ratchet.core.releases import Colour, LedgerEvent
from ratchet.core.rollout import first_state
from ratchet.core.serving import ServedParts
from ratchet.local import services

if TYPE_CHECKING:
    from tests.steps.serving.releases import Releases

ROOT = Path(__file__).parents[3]
TASK = "intent"


@dataclass(frozen=True)
class Tuned:
    """`said`: the log-probabilities of the merged model's answers, by transformers."""

    model: FolderRef
    parts: ServedParts
    said: list[dict[str, Any]]


class Serving:
    """One line, "support", whose base says "base" to everything and has the users on blue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = folder / "ratchet.toml"
        ports = free_ports("edge", "edge_admin", "blue", "green")
        environments = load(ROOT / "ratchet.toml").python("ops").parents[2]
        # MLflow's client works on a database as on a server.
        places = [f'environments_dir = "{environments}"', f'tracking_uri = "sqlite:///{folder}/mlflow.db"']
        lines = [*places, "[ports]", *(f"{n} = {p}" for n, p in ports.items())]
        config.write_text("\n".join(lines) + "\n")
        (folder / "containers").symlink_to(ROOT / "containers")  # whose locks are part of a step's key
        self.config = config
        self.settings: Settings = load(config)
        self.supervisor_config = self._write_supervisor_config(config)

    @property
    def world(self) -> World:
        return World(self.settings, self.folder / "work")

    def model(self, answer: str, kind: str = "") -> FolderRef:
        """A model that says `answer`, in the store; with a kind, one that says nothing in particular."""
        target = self.folder / "made" / (answer + kind)
        if not target.is_dir():
            command = [self.settings.python("serve"), "-m", "tests.steps.serving.models", target, answer]
            subprocess.run([*command, *([kind] if kind else [])], check=True, cwd=ROOT, env=_environment())
        return self.world.store.put_folder(target)

    def adapter(self, answer: str) -> Tuned:
        """A candidate that says `answer`, tuned on the line's base, in the store."""
        live = self.world.engine.loaded("blue")
        assert live is not None
        base, target = live.model, self.folder / "made" / f"tuned to say {answer}"
        command = [self.settings.python("train"), "-m", "tests.steps.serving.adapter", self.folder / "made" / "base"]
        subprocess.run([*command, base.sha256, answer, target], check=True, cwd=ROOT, env=_environment())
        put = self.world.store.put_folder
        parts = ServedParts(adapter=put(target / "adapter"), base=base)
        return Tuned(put(target / "model"), parts, json.loads((target / "said.json").read_bytes()))

    def prompts(self, answer: str) -> FileRef:
        return self.world.store.put_bytes("\n".join(json.dumps(row) for row in _rows(answer)).encode())

    def report(self, model: FolderRef, answer: str) -> FileRef:
        """What `evaluate` would say about a model that gives `answer`."""
        rows = _rows(answer)
        task = TaskReport(
            name=TASK,
            version="1",
            config_sha256=digest_json({}),
            data_sha256=digest_json(rows),
            sample_ids=tuple(map(sample_id, rows)),
            metrics=(MetricSamples(name="exact_match", higher_is_better=True, values=(1.0,) * len(rows)),),
            answers=(answer,) * len(rows),
        )
        plan = MeasuringPlan(engine="test", dtype="float32", batch_size=1, seed=0)
        report = EvalReport(model_sha256=model.sha256, chat_template_sha256=digest_json(""), plan=plan, tasks=(task,))
        return self.world.store.put_bytes(report.canonical_json())

    def bootstrap(self, model: FolderRef) -> None:
        event = LedgerEvent(
            line="support", kind="bootstrap", at="2026-01-05T12:00:00Z", by="test", release_id="base", model=model
        )
        self.world.ledger("support").append(lambda events: event)
        self.world.engine.load("blue", LoadedModel(release_id="base", model=model))
        self.world.router.write(first_state("blue", "base", model.sha256, seq=0), self.world.router.read())

    def engine_pid(self, colour: Colour) -> int:
        """Of the engine's server, which leads the group of all its processes."""
        return _pid_of("--port", self.world.engine.url(colour).rsplit(":", 1)[1])

    def edge_pid(self) -> int:
        return _pid_of("-c", str(self.settings.state / "router" / "envoy.json"))

    def wait_answering(self, timeout_seconds: float = 300) -> None:
        def answers() -> bool:
            try:
                return chat(self.world.router.url(), "support", PROMPTS[0], 8).text == "base"
            except EngineAway:
                assert (why := self.world.engine.failure("blue")) is None, why
                return False

        wait(answers, timeout_seconds)

    def _write_supervisor_config(self, config: Path) -> Path:
        """As the platform writes it, without Airflow and MLflow."""
        everything = services.programs
        wanted = ("envoy", "vllm-blue", "vllm-green")
        services.programs = lambda settings, path: [p for p in everything(settings, path) if p.name in wanted]
        try:
            services.edge.write(self.settings)
            return services.write_config(self.settings, config)
        finally:
            services.programs = everything


@pytest.fixture(scope="session")
def serving() -> Iterator[Serving]:
    with started() as made:
        yield made


@contextmanager
def started(timeout_seconds: float = 300) -> Iterator[Serving]:
    # Not pytest's own folder: the path of a unix socket must be shorter than 108 characters.
    folder = Path(tempfile.mkdtemp(prefix="serving-"))
    made = Serving(folder)
    command = [ROOT / ".venv" / "bin" / "supervisord", "--nodaemon", "-c", made.supervisor_config]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_environment()) as supervisord:
        try:
            wait((made.settings.state / "supervisor.sock").exists, 20)
            made.bootstrap(made.model("base"))
            made.wait_answering(timeout_seconds)
            yield made
        finally:
            supervisord.terminate()
    shutil.rmtree(folder)


@pytest.fixture
def releases(serving: Serving) -> Iterator["Releases"]:
    """The release that has the users, "base" on blue, and one that waits, "tuned" on green."""
    from tests.steps.serving.releases import Releases  # which needs this module

    made = Releases.loaded(serving)
    yield made
    made.back_to_base()


def _rows(answer: str) -> list[dict[str, str]]:
    return [{"id": str(number), "prompt": prompt, "answer": answer} for number, prompt in enumerate(PROMPTS)]


def _pid_of(*arguments: str) -> int:
    """Of the process with these arguments; not of its guard, which has them too."""
    wanted = "\0".join(arguments) + "\0"
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found = path.read_text("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if wanted in found and str(guard.__file__) not in found:
            return int(path.parent.name)
    raise LookupError(f"no process runs with {arguments}")


def _environment() -> dict[str, str]:
    """This process's pytest is not for the environments of others."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def free_ports(*names: str) -> dict[str, int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: taken.getsockname()[1] for name, taken in zip(names, sockets, strict=True)}
    for taken in sockets:
        taken.close()
    return ports


def wait(reached: Callable[[], bool], timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not reached():
        assert time.monotonic() < deadline, f"not reached after {timeout_seconds} s"
        time.sleep(0.1)
