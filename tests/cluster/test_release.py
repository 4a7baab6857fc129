"""A whole release as pods: `ratchet demo`, unchanged, on a cluster; then what on-call does with it.

The tests run in the order in which a person would do these things: look, ask, go back, run again.
"""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.cluster.bench import ROOT, Bench, chat, until
from tests.cluster.seen import COMPONENT, Seen, watching

from ratchet.clients import manifests
from ratchet.clients.settings import load
from ratchet.core.releases import production
from ratchet.recipes.catalogue import load_recipe
from ratchet.steps import STEPS
from ratchet.validate.contract import ValidateInputs

pytestmark = pytest.mark.timeout(3600)


@contextmanager
def clients_asking(url: str, count: int = 3) -> Iterator[list[tuple[int, str]]]:
    """Ask without a pause while the block runs; yields (status, release) as they come."""
    answers: list[tuple[int, str]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                answer = chat(url, "where is my parcel")
                answers.append((answer.status_code, answer.headers.get("x-model-release", "")))
            except httpx.HTTPError as error:
                answers.append((0, repr(error)))

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_every_step_was_a_pod_from_its_own_image(bench: Bench, release: Seen) -> None:
    ran = {pod["metadata"]["labels"]["ratchet.dev/step"]: pod for pod in release.pods.values()}

    # `submit` has validated the same rows already, so that the release may find that work done.
    assert set(ran) | {"validate"} == set(STEPS) - {"rollback", "drill", "monitor"}
    for step, pod in ran.items():
        assert pod["spec"]["containers"][0]["image"] == bench.image(STEPS[step].image)


def test_each_pod_leads_back_to_its_run(bench: Bench, release: Seen) -> None:
    (run, *_) = bench.airflow.runs("release_support")
    for pod in release.pods.values():
        annotations = pod["metadata"]["annotations"]
        assert annotations["ratchet.dev/dag"] == "release_support"
        assert annotations["ratchet.dev/run"] == run["dag_run_id"]
        assert annotations["ratchet.dev/task"] in {"evaluate_baseline", "evaluate_candidate", *STEPS}


def test_no_step_pod_is_left(bench: Bench, release: Seen) -> None:
    assert bench.pods(COMPONENT) == []


def test_users_are_answered_by_the_release_and_told_so(bench: Bench, release: Seen) -> None:
    live = production(bench.world.ledger("support").events())
    answer = chat(bench.settings.users_url, "I was charged twice for my order and want my money back")

    assert live is not None
    assert live.kind == "promoted"
    assert answer.headers["x-model-release"] == live.release_id
    assert answer.json()["choices"][0]["message"]["content"].strip()


def test_a_pods_log_is_in_airflow(bench: Bench, release: Seen) -> None:
    airflow = bench.airflow
    (run, *_) = airflow.runs("release_support")
    (task,) = (task for task in airflow.tasks("release_support", run["dag_run_id"]) if task.task_id == "finetune")
    lines = "\n".join(airflow.log("release_support", run["dag_run_id"], task))

    assert re.search(r"progress\s+step=\d+ steps=\d+ loss=", lines)
    assert "fine-tuned" in lines


def test_a_laptop_would_compute_the_same_keys(bench: Bench, release: Seen) -> None:
    """The same inputs, lock and device kind: work done on one is found on the other."""
    store = bench.world.store
    (version, *_) = bench.world.datasets("support").records()
    recipe = load_recipe("support", ROOT)
    inputs = ValidateInputs.model_validate(recipe.validating(version.rows, bench.world.base(recipe.base)))

    key = STEPS["validate"].key(inputs, load(ROOT / "ratchet.toml"), run_id="", attempt="")

    assert manifests.find(store, "validate", key) is not None


def test_status_tells_what_runs_and_what_is_in_production(bench: Bench, release: Seen) -> None:
    said = bench.ratchet("status").stdout

    assert re.search(r"support-blue\s+running\s+1/1 ready", said)
    assert re.search(r"support-green\s+running\s+1/1 ready", said)
    assert "is in production" in said
    assert "goes back to" in said


def test_an_upgrade_of_the_chart_moves_neither_users_nor_engines(bench: Bench, release: Seen) -> None:
    before = bench.world.router.read(), {c: bench.world.engine.loaded(c) for c in ("blue", "green")}
    pods = {pod["metadata"]["uid"] for pod in bench.pods("app.kubernetes.io/component=engine")}

    bench.install_serving()

    assert (bench.world.router.read(), {c: bench.world.engine.loaded(c) for c in ("blue", "green")}) == before
    assert {pod["metadata"]["uid"] for pod in bench.pods("app.kubernetes.io/component=engine")} == pods
    assert bench.get("service", "support")["spec"]["selector"]["ratchet.dev/colour"] == before[0].active


def test_rolling_back_fails_no_request_and_takes_under_a_second(bench: Bench, release: Seen) -> None:
    events = bench.world.ledger("support").events()
    with clients_asking(bench.settings.users_url) as answers:
        time.sleep(3)
        done = bench.ratchet("rollback", "--reason", "a test")
        time.sleep(3)

    assert done.returncode == 0, done.stderr
    switched = re.search(r"traffic moved in (\d+\.\d+) s", done.stdout)
    assert switched, done.stdout
    assert {status for status, _ in answers} == {200}
    assert len(answers) > 10
    assert answers[0][1] != answers[-1][1]
    assert bench.world.ledger("support").events()[len(events)].kind == "rolled_back"


def test_running_again_does_only_what_acts(bench: Bench, release: Seen) -> None:
    """After the roll-back the same data is new to production again: everything that was computed is found."""
    with watching(bench) as seen:
        done = bench.ratchet("retrain")

    assert "waits for approval" in done.stdout, f"{done.stdout[-3000:]}\n{done.stderr}"
    assert not seen.of("finetune")
    assert not seen.of("evaluate")
    assert seen.of("stage")


def test_a_second_trigger_of_the_same_run_goes_on_with_it(bench: Bench, release: Seen) -> None:
    done = bench.ratchet("retrain", "--no-wait")

    assert "is not finished: it goes on" in done.stdout


def test_a_promotion_killed_between_its_steps_is_finished_by_the_next_attempt(bench: Bench, release: Seen) -> None:
    """The pod dies right after its intent is in the ledger; users never notice."""
    ledger, num_before = bench.world.ledger("support"), len(bench.world.ledger("support").events())
    with clients_asking(bench.settings.users_url) as answers:
        assert bench.ratchet("approve").returncode == 0
        until(lambda: any(e.kind == "promoting" for e in ledger.events()[num_before:]), 300, "an intent", every=0.02)
        (pod,) = bench.pods("ratchet.dev/step=promote")
        bench.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")
        (run, *_) = bench.airflow.runs("release_support")
        until(
            lambda: bench.airflow.run_state("release_support", run["dag_run_id"]) in ("success", "failed"),
            900,
            "the run ends",
        )

    live, state = production(ledger.events()), bench.world.router.read()
    assert bench.airflow.run_state("release_support", run["dag_run_id"]) == "success"
    assert live is not None
    assert state is not None
    assert live.kind == "promoted"
    assert state.serves(live.release_id, live.model.sha256)
    assert len(ledger.verify()) > num_before
    assert {status for status, _ in answers} == {200}


def test_the_times_are_kept(bench: Bench, release: Seen, record_property: Any) -> None:
    """Pod by pod: from asked for to container started, and what the container took."""
    rows = [times(pod) for pod in release.pods.values()]
    table = sorted((row for row in rows if row), key=lambda row: row["asked"])
    (bench.home / "pods.json").write_text(json.dumps(table, indent=1), "utf-8")

    assert {row["step"] for row in table} >= {"resolve", "finetune", "promote"}


def times(pod: dict[str, Any]) -> dict[str, Any] | None:
    (status,) = pod["status"].get("containerStatuses") or [{}]
    ended = (status.get("state") or {}).get("terminated")
    if not ended:
        return None
    asked, started, finished = (
        datetime.fromisoformat(text)
        for text in (pod["metadata"]["creationTimestamp"], ended["startedAt"], ended["finishedAt"])
    )
    return {
        "step": pod["metadata"]["labels"]["ratchet.dev/step"],
        "asked": asked.isoformat(),
        "start_seconds": (started - asked).total_seconds(),
        "run_seconds": (finished - started).total_seconds(),
        "exit_code": ended["exitCode"],
    }
