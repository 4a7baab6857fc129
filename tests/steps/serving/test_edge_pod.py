"""The cluster's edge as its pod runs it: the real Envoy before one address, with a Secret's file of keys."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
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
from ratchet.serving.edge.counts import code_of

pytestmark = pytest.mark.timeout(120)
MIA, BEN = "rk-the-key-of-mia", "rk-the-key-of-ben"


COUNTED = re.compile(
    r'^envoy_ratchet_requests\{colour="(.*)",release="(.*)",status="(.*)",flags="(.*)"\} (\d+)$', re.MULTILINE
)


@dataclass
class Pod:
    """`counts`: where others read what Envoy counts."""

    url: str
    counts: str
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

    def counted(self) -> dict[tuple[str, str, str, str], int]:
        """By colour, release, status and flags."""
        page = httpx.get(f"{self.counts}/stats/prometheus", timeout=10.0).raise_for_status().text
        return {tuple(labels): int(number) for *labels, number in COUNTED.findall(page)}  # type: ignore[misc]


@contextmanager
def pod(folder: Path, keys: object | None, behind: str = "", feedback: str = "", more: str = "") -> Iterator[Pod]:
    """`more`: of its ratchet.toml."""
    engine = Served(models={"support"}).edge("blue", "a")
    ports = free_ports("users", "admin", "counts")
    (folder / "keys").mkdir()
    (folder / "ratchet.toml").write_text(f"[edge]\ntokens_per_day = 16\nmax_request_bytes = 2000\n{more}")
    told = {"RATCHET_CONFIG": "ratchet.toml", "RATCHET_STATE_DIR": "scratch", "RATCHET_SECRETS_DIR": "keys"}
    with ExitStack() as stack:
        behind = behind or stack.enter_context(answering(lambda: engine)).removeprefix("http://")
        where = [f"--{name}=127.0.0.1:{port}" for name, port in ports.items()]
        where += [f"--feedback={feedback}"] if feedback else []
        command = [sys.executable, "-m", "ratchet.serving.edge", *where, f"--upstream={behind}", "--drain-seconds=30"]
        environment = {**os.environ, **{name: str(folder / value) for name, value in told.items()}}
        urls = (f"http://127.0.0.1:{ports[name]}" for name in ("users", "counts"))
        made = Pod(*urls, folder, engine, None)  # type: ignore[arg-type]
        if keys is not None:
            made.give(keys)
        log = stack.enter_context((folder / "pod.log").open("wb"))
        made.process = stack.enter_context(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        stack.callback(made.process.terminate)
        yield made


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """One for all that changes nothing."""
    with pod(tmp_path_factory.mktemp("pod"), {"mia": MIA}) as made:
        eventually(lambda: answers(f"{made.url}/health"))
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


def test_requests_are_counted_by_the_release_that_answered_and_by_how_they_ended(running: Pod) -> None:
    running.ask(MIA)
    running.ask("rk-guessed")
    running.engine.status = 500
    running.ask(MIA)
    running.engine.status, running.engine.streams = 200, Streams(ending="cut")
    with suppress(httpx.RemoteProtocolError):
        running.ask(MIA, stream=True)
    httpx.post(f"{running.url}/v1/feedback", headers={"Authorization": f"Bearer {MIA}"})

    eventually(lambda: len(running.counted()) == 4)
    counted = running.counted()
    assert counted.pop(("blue", "a", "200", "-")) == counted.pop(("blue", "a", "500", "-")) == 1
    assert counted.pop(("", "", "401", "-")) == 1  # no engine's word
    ((_, _, status, flags),) = counted
    assert code_of(status, flags) == "cut"


def test_a_request_that_no_engine_answered_is_counted_as_nobodys(tmp_path: Path) -> None:
    with pod(tmp_path, {"mia": MIA}, behind="127.0.0.1:9") as made:
        eventually(lambda: answers(f"{made.url}/health"))

        assert made.ask(MIA).status_code == 503
        eventually(lambda: ("", "", "503") in {labels[:3] for labels in made.counted()})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/quitquitquit"),
        ("GET", "/config_dump"),
        ("GET", "/certs"),
        ("GET", "/"),
        ("GET", "/stats"),
        ("POST", "/drain_listeners?graceful"),
        ("POST", "/stats/prometheus"),
        ("POST", "/healthcheck/fail"),
        ("GET", "/stats/prometheus/"),
        ("GET", "/stats/prometheus/../../config_dump"),
        ("GET", "/stats/prometheus%2f..%2f..%2fconfig_dump"),
        ("GET", "//config_dump"),
        ("GET", "http://127.0.0.1/config_dump"),
    ],
)
def test_nothing_else_of_envoys_own_page_is_reached_by_others(counting: Pod, method: str, path: str) -> None:
    host = counting.counts.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=10)) as connection:  # which sends a path as it is
        connection.request(method, path)
        answer = connection.getresponse()

        assert (answer.status, answer.read()) == (404, b"")
    assert answers(f"{counting.url}/health")


@pytest.mark.parametrize(("keys", "said"), [(None, "is not there"), ("{", "cannot be read as JSON")])
def test_without_a_fit_file_of_keys_it_does_not_start(tmp_path: Path, keys: object, said: str) -> None:
    with pod(tmp_path, keys) as made:
        assert made.process.wait(60) == TerminalError.exit_code

    assert said in (tmp_path / "pod.log").read_text()
