"""What is done to pods, the API server, the store and Airflow while a step runs, and what must come out.

Each test runs one step as a DAG of its own (tests/cluster/dags/faults.py) on the platform that the release was made on.
The table of what happened is written to <home>/faults.json.
"""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.bench import BIN, PREFIX, ROOT, Bench, until
from tests.cluster.seen import Seen, watching

from ratchet.clients import manifests
from ratchet.clients.airflow import TaskState
from ratchet.clients.files import replace_file
from ratchet.core.datasets import DatasetVersion
from ratchet.core.memo import Manifest
from ratchet.finetune.contract import FinetuneInputs, QloraSettings
from ratchet.recipes.catalogue import load_recipe
from ratchet.validate.contract import ValidateInputs

pytestmark = pytest.mark.timeout(1800)
OUTAGE_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """One run of a fault's DAG."""

    bench: Bench
    dag_id: str
    run_id: str
    since: float

    def task(self) -> TaskState:
        return next(t for t in self.bench.airflow.tasks(self.dag_id, self.run_id) if t.task_id == "step")

    def log(self) -> str:
        return "\n".join(self.bench.airflow.log(self.dag_id, self.run_id, self.task()))

    def ends(self, seconds: float = 900) -> str:
        """The run's last state."""

        def ended() -> str | None:
            state = self.bench.airflow.run_state(self.dag_id, self.run_id)
            return state if state in ("success", "failed") else None

        return str(until(ended, seconds, f"{self.dag_id} ends", every=2.0))

    def pod(self, phase: str = "Running") -> dict[str, Any]:
        """The step's pod, once it is in that phase."""

        def there() -> dict[str, Any] | None:
            return next((pod for pod in self.pods() if pod["status"]["phase"] == phase), None)

        return dict(until(there, 300, f"a pod of {self.dag_id} is {phase}"))

    def pods(self) -> list[dict[str, Any]]:
        found = self.bench.pods("app.kubernetes.io/component=step")
        return [pod for pod in found if pod["metadata"]["annotations"]["ratchet.dev/run"] == self.run_id]


@pytest.fixture
def start(bench: Bench, release: Seen) -> Callable[[str, Any], Run]:
    def started(dag_id: str, inputs: Any) -> Run:
        airflow, run_id = bench.airflow, f"fault-{uuid.uuid4().hex[:8]}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": {"inputs": inputs.model_dump(mode="json")}}
        until(lambda: airflow._call("POST", f"/dags/{dag_id}/dagRuns", body), 120, f"Airflow takes {dag_id}")
        return Run(bench, dag_id, run_id, time.time())

    return started


@pytest.fixture(scope="module")
def table(bench: Bench) -> Iterator[list[dict[str, str]]]:
    """One row per fault: what was done, what happened."""
    rows: list[dict[str, str]] = []
    yield rows
    (bench.home / "faults.json").write_text(json.dumps(rows, indent=1), "utf-8")


@pytest.fixture
def tell(table: list[dict[str, str]], request: pytest.FixtureRequest) -> Callable[[str], None]:
    def told(happened: str) -> None:
        table.append({"fault": request.node.name.removeprefix("test_").replace("_", " "), "happened": happened})

    return told


def dataset(bench: Bench) -> DatasetVersion:
    return bench.world.datasets("support").records()[-1]


def fresh_upload(bench: Bench) -> ValidateInputs:
    """Rows that nobody has validated yet: quick work with a key of its own."""
    rows = (
        bench.world.store.read_bytes(dataset(bench).rows)
        + b'{"text": "%s", "label": "x"}\n' % uuid.uuid4().hex.encode()
    )
    return ValidateInputs(
        upload=bench.world.store.put_bytes(rows),
        file_name="rows.jsonl",
        text_column="text",
        label_column="label",
        rules=load_recipe("support", ROOT).rules,
    )


def training(bench: Bench, epochs: float = 0.6) -> FinetuneInputs:
    """A training that nobody has done yet; about a second a step, a checkpoint every ten."""
    store = bench.world.store
    (key,) = store.keys("manifests/prepare/")
    prepared = manifests.find(store, "prepare", key.rpartition("/")[2].removesuffix(".json"))
    assert prepared is not None
    base = json.loads(store.get("bases/ratchet-tiny.json") or b"")
    seed = int(uuid.uuid4().int % 1_000_000)
    method = QloraSettings(seed=seed, num_train_epochs=epochs, save_steps=10, min_loss_drop=0.0)
    return FinetuneInputs.model_validate(
        {
            "line": "support",
            "base": base,
            "train": prepared.outputs["train"],
            "validation": prepared.outputs["validation"],
            "method": method.model_dump(),
        }
    )


def manifest_of(bench: Bench, step: str, since: float) -> Manifest:
    """The one that was written since."""
    store = bench.world.store
    keys = (key.rpartition("/")[2].removesuffix(".json") for key in store.keys(f"manifests/{step}/"))
    found = (manifests.find(store, step, key) for key in keys)
    (new,) = (manifest for manifest in found if manifest and manifest.started_at.timestamp() >= since)
    return new


def checkpoints(bench: Bench) -> set[str]:
    return {key for key in bench.world.store.keys("checkpoints/") if key.endswith("manifest.json")}


def next_checkpoint(bench: Bench, known: set[str]) -> None:
    until(lambda: checkpoints(bench) - known, 300, "a checkpoint is in the store")


@contextmanager
def configured(bench: Bench, text: str) -> Iterator[None]:
    """ratchet.toml with something more in its section [kubernetes]."""
    before = bench.config.read_bytes()
    timeout = b"schedule_timeout_seconds = 120"
    kept = before.replace(timeout, b"") if "schedule_timeout_seconds" in text else before
    # In one piece: Airflow reads it at any moment.
    replace_file(bench.config, kept.replace(b"[kubernetes]", f"[kubernetes]\n{text}".encode()))
    try:
        yield
    finally:
        replace_file(bench.config, before)


# the pod


@pytest.mark.parametrize("grace", [0, 30], ids=["killed", "preempted"])
def test_a_training_pod_goes_on_from_its_last_checkpoint(bench: Bench, start: Any, tell: Any, grace: int) -> None:
    known = checkpoints(bench)
    run = start("fault_finetune", training(bench))
    pod = run.pod()
    next_checkpoint(bench, known)

    force = ("--force",) if grace == 0 else ()
    bench.kubectl("delete", "pod", pod["metadata"]["name"], f"--grace-period={grace}", *force, "--wait=false")

    assert run.ends() == "success", run.log()
    done = manifest_of(bench, "finetune", run.since)
    assert done.outputs["num_resumes"] == 1
    assert "fetched a checkpoint" in run.log()
    tell(f"attempt {run.task().try_number} resumed from the store; {done.outputs['num_steps']} steps in all")


def test_out_of_memory_is_called_so_and_not_tried_again(bench: Bench, start: Any, tell: Any) -> None:
    run = start("fault_out_of_memory", training(bench))

    assert run.ends() == "failed"
    assert run.task().try_number == 1
    assert "OUT OF MEMORY: the pod needed more than its limit of 410Mi" in run.log()
    tell("failed at once: OUT OF MEMORY, with the limit and what to change")


@pytest.mark.parametrize(
    ("lie", "state"),
    [("exit-0", "failed"), ("exit-1", "success")],
    ids=["0 without a manifest", "1 after its manifest"],
)
def test_an_exit_code_alone_is_not_believed(bench: Bench, start: Any, tell: Any, lie: str, state: str) -> None:
    with configured(bench, f'images = {{ data = "{PREFIX}/test-{lie}:1" }}\n'):
        run = start("fault_validate", fresh_upload(bench))
        assert run.ends() == state

    said = "wrote no manifest, so it is not done" if lie == "exit-0" else "after its work was done"
    assert said in run.log()
    tell(f"{state}: “… {said}”")


def test_an_image_that_does_not_exist_is_named(bench: Bench, start: Any, tell: Any) -> None:
    with configured(bench, f'images = {{ data = "{PREFIX}/nowhere:1" }}\n'):
        run = start("fault_validate", fresh_upload(bench))
        assert run.ends() == "failed"

    # A pod that ends at once may end before Airflow has written that its task waits for it; then it tries once more.
    assert run.task().try_number <= 2
    assert f"the image {PREFIX}/nowhere:1 cannot be pulled" in run.log()
    tell(f"failed after {time.time() - run.since:.0f} s, image and reason named")


def test_a_request_that_no_node_satisfies_is_named_within_a_bounded_time(bench: Bench, start: Any, tell: Any) -> None:
    with configured(bench, "schedule_timeout_seconds = 15\n"):
        run = start("fault_no_node", fresh_upload(bench))
        until(lambda: "no node can take its pod" in run.log() or None, 180, "the attempt ends")
        log = run.log()
        bench.airflow._call("PATCH", f"/dags/{run.dag_id}/dagRuns/{run.run_id}", {"state": "failed"})

    assert "nvidia.com/gpu=8" in log
    assert "gpu=h100" in log
    until(lambda: not run.pods(), 90, "no pod of it is left")
    tell("attempt ended with the scheduler's own reason and what was asked for")


# Airflow and the cluster


def test_a_scheduler_that_is_restarted_finds_its_pod_again(bench: Bench, start: Any, tell: Any) -> None:
    with watching(bench) as seen:
        run = start("fault_finetune", training(bench))
        pod = run.pod()
        for service in ("airflow-scheduler", "airflow-triggerer"):
            supervisorctl(bench, "restart", service)
        assert run.ends() == "success", run.log()

    assert {p["metadata"]["uid"] for p in seen.of("finetune")} == {pod["metadata"]["uid"]}
    assert manifest_of(bench, "finetune", run.since).outputs["num_resumes"] == 0
    tell("one pod, one training, one attempt")


def test_an_api_server_that_is_away_for_a_minute_ends_nothing(bench: Bench, start: Any, tell: Any) -> None:
    with watching(bench) as seen:
        run = start("fault_finetune", training(bench))
        pod = run.pod()
        with bench.door.shut():
            time.sleep(OUTAGE_SECONDS)
        assert run.ends() == "success", run.log()

    assert {p["metadata"]["uid"] for p in seen.of("finetune")} == {pod["metadata"]["uid"]}
    tell("one pod, one training; Airflow caught up")


def test_a_store_that_is_away_for_a_minute_costs_no_step(bench: Bench, start: Any, tell: Any) -> None:
    known = checkpoints(bench)
    run = start("fault_finetune", training(bench, epochs=2.0))  # longer than the outage
    next_checkpoint(bench, known)
    bench.kubectl("patch", "service", "store", "-p", '{"spec": {"selector": {"app": "away"}}}')
    try:
        time.sleep(OUTAGE_SECONDS)
    finally:
        bench.kubectl("patch", "service", "store", "-p", '{"spec": {"selector": {"app": "store"}}}')

    assert run.ends() == "success", run.log()
    assert manifest_of(bench, "finetune", run.since).outputs["num_resumes"] == 0
    assert "the checkpoint is on this disk only" in run.log()
    tell("training went on; the checkpoints of that minute stayed on the pod's disk")


def test_the_same_work_asked_for_twice_is_done_once(bench: Bench, start: Any, tell: Any) -> None:
    inputs = training(bench)
    with watching(bench) as seen:
        first, second = start("fault_finetune", inputs), start("fault_finetune", inputs)
        assert first.ends() == "success", first.log()
        assert second.ends() == "success", second.log()

    assert len(seen.of("finetune")) == 1
    tell("two runs, one pod, one manifest")


def test_a_permission_that_is_missing_is_named_with_verb_and_resource(
    bench: Bench, start: Any, tell: Any, tmp_path: Path
) -> None:
    powerless = kubeconfig_of(bench, "ratchet-compute", tmp_path / "kubeconfig")
    with configured(bench, f'kubeconfig = "{powerless}"\n'):
        run = start("fault_validate", fresh_upload(bench))
        assert run.ends() == "failed"

    log = run.log()
    assert 'cannot list resource "pods"' in log or 'cannot create resource "pods"' in log
    assert "ratchet-launcher" in log
    tell("failed at once, the API server's own words and the role to bind")


@pytest.mark.skipif("RATCHET_RESTART_KUBELET" not in os.environ, reason="RATCHET_RESTART_KUBELET says how to")
def test_a_kubelet_that_is_restarted_loses_nothing(bench: Bench, start: Any, tell: Any) -> None:
    with watching(bench) as seen:
        run = start("fault_finetune", training(bench))
        run.pod()
        subprocess.run(os.environ["RATCHET_RESTART_KUBELET"], shell=True, check=True, timeout=60)
        assert run.ends() == "success", run.log()

    assert len(seen.of("finetune")) == 1
    assert manifest_of(bench, "finetune", run.since).outputs["num_resumes"] == 0
    tell("one pod, one training")


def test_a_training_marked_as_failed_by_hand_is_gone_soon(bench: Bench, start: Any, tell: Any) -> None:
    run = start("fault_finetune", training(bench, epochs=5))
    run.pod()
    asked = time.monotonic()
    task = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/step"
    bench.airflow._call("PATCH", task, {"new_state": "failed"})

    until(lambda: not bench.pods("ratchet.dev/step=finetune"), 120, "the pod is gone")
    tell(f"the pod was gone after {time.monotonic() - asked:.0f} s, its checkpoint kept")


def supervisorctl(bench: Bench, *arguments: str) -> None:
    command = [str(BIN / "supervisorctl"), "-c", str(bench.home / "state" / "supervisord.conf"), *arguments]
    subprocess.run(command, check=True, timeout=120, capture_output=True)


def kubeconfig_of(bench: Bench, account: str, path: Path) -> Path:
    """The way to the cluster of somebody who is only this service account."""
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text("utf-8"))
    config["users"][0]["user"] = {"token": bench.token_of(account)}
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path
