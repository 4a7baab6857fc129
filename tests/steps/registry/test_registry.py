"""One list of promises for every registry, kept by the fake and by a real MLflow server on sqlite."""

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.events import RELEASED, ROLLED_BACK, event, model, sha, story
from tests.fakes.registry import FakeRegistry

from ratchet.clients import mlflow_rest
from ratchet.clients.registry import (
    MetricRecord,
    MlflowRegistry,
    Registry,
    RegistryRefused,
    RegistryUnavailable,
    follow_ledger,
)

pytest.importorskip("mlflow", reason="MLflow lives in the ops environment")
START_SECONDS = 240


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=folder)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"MLflow did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(params=["fake", "mlflow"])
def registry(request: pytest.FixtureRequest) -> Registry:
    return FakeRegistry() if request.param == "fake" else MlflowRegistry(request.getfixturevalue("server"))


@pytest.fixture
def line(request: pytest.FixtureRequest) -> str:
    """A line of its own for each test, on one server."""
    return f"line-{abs(hash(request.node.name)) % 10**8}"


@pytest.fixture
def mlflow_registry(server: str) -> MlflowRegistry:
    return MlflowRegistry(server)


# what every registry promises


def test_the_same_key_is_the_same_run(registry: Registry, line: str) -> None:
    one = registry.open_run(line, "key-1", {"r": "32"}, {"device": "cpu"})
    again = registry.open_run(line, "key-1", {"r": "32"}, {"device": "cpu"})
    other = registry.open_run(line, "key-2", {}, {})

    assert one == again
    assert one != other


def test_a_finished_run_can_be_opened_again(registry: Registry, line: str) -> None:
    run_id = registry.open_run(line, "key-1", {}, {})
    registry.finish_run(run_id)

    assert registry.open_run(line, "key-1", {}, {}) == run_id


def test_another_value_for_a_param_of_the_same_work_is_refused(registry: Registry, line: str) -> None:
    registry.open_run(line, "key-1", {"r": "32"}, {})

    with pytest.raises(RegistryRefused):
        registry.open_run(line, "key-1", {"r": "64"}, {})


def test_metrics_of_a_run_that_does_not_exist_are_refused(registry: Registry) -> None:
    with pytest.raises(RegistryRefused):
        registry.log_metrics("0" * 32, [MetricRecord(step=1, at_ms=1, metrics={"loss": 1.0})])


def test_the_same_bytes_are_one_version(registry: Registry, line: str) -> None:
    one = registry.register(line, model("a"), {"ratchet.release_id": "a"})
    again = registry.register(line, model("a"), {"ratchet.release_id": "a"})
    other = registry.register(line, model("b"), {})

    assert (one, again, other) == ("1", "1", "2")


def test_aliases_of_a_line_that_is_not_registered_are_empty(registry: Registry, line: str) -> None:
    assert registry.aliases(line) == {}


def test_aliases_follow_and_previous_goes_when_there_is_none(registry: Registry, line: str) -> None:
    for name in ("a", "b"):
        registry.register(line, model(name), {})

    registry.set_aliases(line, sha("a"), None)
    first = registry.aliases(line)
    registry.set_aliases(line, sha("b"), sha("a"))
    registry.set_aliases(line, sha("b"), sha("a"))
    second = registry.aliases(line)
    registry.set_aliases(line, sha("a"), None)

    assert first == {"production": sha("a")}
    assert second == {"production": sha("b"), "previous": sha("a")}
    assert registry.aliases(line) == {"production": sha("a")}


def test_an_alias_to_an_unregistered_model_is_refused(registry: Registry, line: str) -> None:
    registry.register(line, model("a"), {})

    with pytest.raises(RegistryRefused):
        registry.set_aliases(line, sha("b"), None)


def test_following_the_ledger_mends_what_was_left_behind(registry: Registry, line: str) -> None:
    nothing = follow_ledger(registry, line, [])
    follow_ledger(registry, line, RELEASED[:1])
    bootstrap = registry.aliases(line)
    follow_ledger(registry, line, RELEASED)
    promoted = registry.aliases(line)
    behind = story(*RELEASED, event("approved", "c"), event("promoting", "c"), event("promoted", "c"))
    follow_ledger(registry, line, behind)

    assert nothing
    assert bootstrap == {"production": sha("a")}
    assert promoted == {"production": sha("b"), "previous": sha("a")}
    assert registry.aliases(line) == {"production": sha("c"), "previous": sha("b")}


def test_after_a_roll_back_production_is_the_old_model_and_nothing_is_previous(registry: Registry, line: str) -> None:
    follow_ledger(registry, line, RELEASED)
    follow_ledger(registry, line, ROLLED_BACK)

    assert registry.aliases(line) == {"production": sha("a")}


# what is MLflow's own


def test_repeated_metrics_are_kept_once_and_in_order(mlflow_registry: MlflowRegistry, line: str) -> None:
    records = [
        MetricRecord(step=step, at_ms=1_767_582_000_000 + step, metrics={"loss": 1.0 / step, "tokens": 2.0 * step})
        for step in range(1, 502)  # 1,002 metrics: more than one batch
    ]
    run_id = mlflow_registry.open_run(line, "key", {}, {})
    mlflow_registry.log_metrics(run_id, records[:100])
    mlflow_registry.log_metrics(run_id, records)
    mlflow_registry.finish_run(run_id)

    history = mlflow_registry._client.get_metric_history(run_id, "loss")

    assert [(point.step, point.value) for point in history] == [(r.step, r.metrics["loss"]) for r in records]
    assert mlflow_registry._client.get_run(run_id).info.status == "FINISHED"


def test_params_and_tags_of_a_run_can_be_read_in_mlflow(mlflow_registry: MlflowRegistry, line: str) -> None:
    params = {f"param_{number}": str(number) for number in range(150)}  # more than one batch
    run_id = mlflow_registry.open_run(line, "key", params, {"ratchet.train_sha256": sha("train")})

    run = mlflow_registry._client.get_run(run_id)

    assert run.data.params == params
    assert run.data.tags["ratchet.key"] == "key"
    assert run.data.tags["ratchet.train_sha256"] == sha("train")
    assert mlflow_registry._client.get_experiment(run.info.experiment_id).name == line


def test_a_version_carries_its_digest_and_where_the_bytes_are(mlflow_registry: MlflowRegistry, line: str) -> None:
    run_id = mlflow_registry.open_run(line, "key", {}, {})
    version = mlflow_registry.register(line, model("a"), {"ratchet.release_id": "support-1"}, run_id)

    found = mlflow_registry._client.get_model_version(line, version)

    assert found.source == model("a").uri
    assert found.run_id == run_id
    assert found.tags == {"ratchet.model_sha256": sha("a"), "ratchet.release_id": "support-1"}


def test_aliases_are_read_by_rest_as_by_mlflows_own_client(server: str, mlflow_registry: Registry, line: str) -> None:
    before = mlflow_rest.aliases(server, line)
    mlflow_registry.register(line, model("a"), {})
    unset = mlflow_rest.aliases(server, line)
    mlflow_registry.register(line, model("b"), {})
    mlflow_registry.set_aliases(line, sha("b"), sha("a"))

    assert (before, unset) == ({}, {})
    assert mlflow_rest.aliases(server, line) == mlflow_registry.aliases(line)
    assert mlflow_rest.digest_of_version(server, line, "2") == sha("b")
    with pytest.raises(mlflow_rest.NotRegistered, match="version"):
        mlflow_rest.digest_of_version(server, line, "99")


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_loss_that_is_not_a_number_never_becomes_a_record(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        MetricRecord(step=1, at_ms=1, metrics={"loss": value})


def test_two_processes_that_register_at_once_agree_on_the_version(server: str, line: str) -> None:
    versions: list[str] = []
    barrier = threading.Barrier(4)

    def register() -> None:
        registry = MlflowRegistry(server)
        barrier.wait()
        versions.append(registry.register(line, model("a"), {}))

    threads = [threading.Thread(target=register) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    MlflowRegistry(server).set_aliases(line, sha("a"), None)

    assert len(versions) == 4
    assert MlflowRegistry(server).aliases(line) == {"production": sha("a")}
    assert MlflowRegistry(server).register(line, model("a"), {}) == "1"


class ForgetfulClient:
    """Confirms what it does not keep, as a server whose write was lost after the answer."""

    def __init__(self, client: Any, forgets: str) -> None:
        self._client = client
        self._forgets = forgets

    def __getattr__(self, name: str) -> Any:
        if name == self._forgets:
            return lambda *args, **kwargs: None
        return getattr(self._client, name)


@pytest.mark.parametrize("forgets", ["create_model_version", "set_registered_model_alias"])
def test_a_write_that_was_confirmed_and_lost_is_noticed(server: str, line: str, forgets: str) -> None:
    registry = MlflowRegistry(server)
    registry._made = ForgetfulClient(registry._client, forgets)

    def mirror() -> None:
        registry.register(line, model("a"), {})
        registry.set_aliases(line, sha("a"), None)

    with pytest.raises(RegistryUnavailable, match="confirmed"):
        mirror()
