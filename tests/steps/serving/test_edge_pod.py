"""The cluster's edge as its pod runs it: the real Envoy before one address, with a Secret's file of keys."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.openai import Served, answering
from tests.fakes.streams import Streams
from tests.steps.serving.conftest import free_ports
from tests.steps.serving.edge_place import eventually

from ratchet.clients.edge_keys import FILE
from ratchet.core.errors import TerminalError

pytestmark = pytest.mark.timeout(120)
MIA, BEN = "rk-the-key-of-mia", "rk-the-key-of-ben"


@dataclass
class Pod:
    url: str
    folder: Path
    engine: Served
    process: "subprocess.Popen[bytes]"

    def give(self, keys: object) -> None:
        """As Kubernetes does it: a new file in the old one's place."""
        made = self.folder / "made"
        made.write_text(keys if isinstance(keys, str) else json.dumps(keys))
        made.rename(self.folder / "keys" / FILE)

    def ask(self, key: str, **more: Any) -> httpx.Response:
        body = {"model": "support", "messages": [{"role": "user", "content": "Hello"}], **more}
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=headers, timeout=10.0)


@contextmanager
def pod(folder: Path, keys: object | None, more: str = "") -> Iterator[Pod]:
    """`more`: of its ratchet.toml."""
    engine = Served(models={"support"}, headers={"x-model-release": "a"})
    ports = free_ports("users", "admin")
    (folder / "keys").mkdir()
    (folder / "ratchet.toml").write_text(f"[edge]\ntokens_per_day = 16\nmax_request_bytes = 2000\n{more}")
    told = {"RATCHET_CONFIG": "ratchet.toml", "RATCHET_STATE_DIR": "scratch", "RATCHET_SECRETS_DIR": "keys"}
    with ExitStack() as stack:
        behind = stack.enter_context(answering(lambda: engine)).removeprefix("http://")
        where = [f"--{name}=127.0.0.1:{port}" for name, port in ports.items()]
        command = [sys.executable, "-m", "ratchet.serving.edge", *where, f"--upstream={behind}", "--drain-seconds=30"]
        environment = {**os.environ, **{name: str(folder / value) for name, value in told.items()}}
        made = Pod(f"http://127.0.0.1:{ports['users']}", folder, engine, None)  # type: ignore[arg-type]
        if keys is not None:
            made.give(keys)
        log = stack.enter_context((folder / "pod.log").open("wb"))
        made.process = stack.enter_context(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        stack.callback(made.process.terminate)
        yield made


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Pod]:
    with pod(tmp_path, {"mia": MIA}) as made:
        eventually(lambda: answers(f"{made.url}/health"))
        yield made


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5.0).is_success
    except httpx.TransportError:
        return False


def test_a_key_lets_in_and_limits_hold_as_on_a_laptop(running: Pod) -> None:
    assert running.ask("rk-guessed").status_code == 401
    assert running.ask(MIA, stop="x" * 2000).status_code == 413
    assert httpx.get(f"{running.url}/metrics", headers={"Authorization": f"Bearer {MIA}"}).status_code == 404

    told = [running.ask(MIA) for _ in range(3)]  # 8 tokens each

    assert [answer.status_code for answer in told] == [200, 200, 429]
    assert told[0].headers["x-model-release"] == "a"
    assert running.engine.heard["x-ratchet-key"] == "mia"
    assert MIA not in str(running.engine.heard)


def test_a_changed_secret_is_taken_without_a_restart_and_a_broken_one_is_not(running: Pod) -> None:
    running.give({"ben": BEN})
    eventually(lambda: running.ask(BEN).status_code == 200)
    assert running.ask(MIA).status_code == 401

    running.give("{")
    eventually(lambda: "as they were" in (running.folder / "pod.log").read_text())

    assert running.ask(BEN).status_code == 200
    assert BEN not in (running.folder / "pod.log").read_text()


def test_a_pod_that_is_stopped_ends_its_streams_first(running: Pod) -> None:
    last = threading.Event()
    running.engine.streams = Streams(last_waits_for=last)
    body = {"model": "support", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    headers = {"Authorization": f"Bearer {MIA}"}

    with httpx.stream("POST", f"{running.url}/v1/chat/completions", json=body, headers=headers, timeout=30) as stream:
        lines = stream.iter_lines()
        next(lines)
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: "draining" in (running.folder / "pod.log").read_text())
        last.set()

        assert list(lines)[-2] == "data: [DONE]"
    assert running.process.wait(30) == 0


@pytest.mark.parametrize(("keys", "said"), [(None, "is not there"), ("{", "cannot be read as JSON")])
def test_without_a_fit_file_of_keys_it_does_not_start(tmp_path: Path, keys: object, said: str) -> None:
    with pod(tmp_path, keys) as made:
        assert made.process.wait(60) == TerminalError.exit_code

    assert said in (tmp_path / "pod.log").read_text()
