"""From a data file to a live model: what the demo promised is looked up where it must stand.

The tests run in the order in which a person would do these things to the one platform: look, ask, re-run, roll back.
"""

import json
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.e2e.conftest import Platform

from ratchet.cli.runs import find, in_order, newest_first
from ratchet.clients import manifests
from ratchet.core.refs import FileRef
from ratchet.core.releases import production
from ratchet.report.contract import ReportInputs
from ratchet.steps import STEPS

pytestmark = pytest.mark.timeout(2700)


def evidence(platform: Platform) -> ReportInputs:
    """What the demo's decision record says."""
    store = platform.world.store
    (key,) = store.keys("manifests/report/")
    found = manifests.find(store, "report", key.rpartition("/")[2].removesuffix(".json"))
    assert found
    return ReportInputs.model_validate(json.loads(store.read_bytes(FileRef(**found.outputs["record"])))["evidence"])


def chat(platform: Platform, text: str) -> httpx.Response:
    body = {
        "model": "support",
        "messages": [{"role": "user", "content": f"Give a label for: {text}"}],
        "max_tokens": 48,
        "temperature": 0,
    }
    return httpx.post(f"{platform.edge}/v1/chat/completions", json=body, timeout=60, trust_env=False)


@contextmanager
def clients_asking(platform: Platform) -> Iterator[list[int]]:
    """Ask through the edge without a pause while the block runs; yields the status codes as they come."""
    codes: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                codes.append(chat(platform, "where is my parcel").status_code)
            except httpx.HTTPError:
                codes.append(0)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield codes
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_the_demo_prints_a_curl_line_that_works_as_pasted(
    platform: Platform, demo: subprocess.CompletedProcess
) -> None:
    line = next(line for line in demo.stdout.splitlines() if line.startswith("curl "))

    answer = subprocess.run(shlex.split(line), capture_output=True, text=True, timeout=60, check=True)

    content = json.loads(answer.stdout)["choices"][0]["message"]["content"]
    assert re.fullmatch(r"[a-z_]+", content), content


def test_the_demo_says_what_was_decided_and_where_things_are(
    platform: Platform, demo: subprocess.CompletedProcess
) -> None:
    for words in ("gate: PASS", "decision report", "Airflow", "MLflow", "time per step", "what to try next"):
        assert words in demo.stdout


def test_the_candidate_is_better_and_forgot_nothing(platform: Platform, demo: object) -> None:
    decided = evidence(platform)

    assert decided.gate_verdict == "PASS"
    whole = [check for check in decided.gate_checks if check.slice_name is None]
    assert len([check for check in whole if check.blocks]) >= 5
    for check in whole:
        assert check.verdict == "PASS", check
        assert check.num_planned >= 20, check
    slices = [check for check in decided.gate_checks if check.slice_name is not None]
    assert len(slices) >= 10
    assert {check.verdict for check in slices} <= {"PASS", "INCONCLUSIVE"}


def test_training_learned_and_the_merge_is_faithful(platform: Platform, demo: object) -> None:
    training = evidence(platform).training

    assert training.last_loss < training.first_loss / 2
    assert training.merge_max_logit_difference < 1e-3


def test_measuring_the_candidate_stopped_when_the_answer_was_known(platform: Platform, demo: object) -> None:
    measuring = evidence(platform).measuring

    assert 0 < measuring.num_measured < measuring.num_samples


def test_the_release_is_one_trace_from_its_first_step_to_the_switch(platform: Platform, demo: object) -> None:
    settings, deadline = platform.world.settings, time.monotonic() + 60
    runs = newest_first(settings, "support")
    run_id = next(run.run_id for run in runs if "promote" in {span.name for span in run.spans})
    while (run := find(settings, "support", run_id)).result == "not finished":
        assert time.monotonic() < deadline, "the run's root span, which Airflow tells last, did not come"
        time.sleep(1)

    rows = in_order(run)
    steps = {row.span.name for row in rows if row.depth == 1}
    assert {"resolve", "validate", "finetune", "evaluate", "gate", "convert", "stage", "approve", "promote"} <= steps
    assert {"train", "merge", "look", "load probe", "canary share", "switch"} <= {row.span.name for row in rows}
    assert [row.span.name for row in rows if row.depth == 0] == ["release_support"]
    assert f"release_support {run_id}: success" in platform.ratchet("runs", "show", run_id).stdout


def test_what_the_run_took_is_kept_up_to_its_very_end(platform: Platform, demo: object) -> None:
    (record,) = platform.world.costs("support").records()
    done = {task.task: task for task in record.tasks}

    assert record.release_id == evidence(platform).release_id
    assert {"resolve", "finetune", "stage", "report", "promote", "bake", "unload"} <= done.keys()
    assert done["validate"].was_found  # when the file was handed in
    assert done["finetune"].new_bytes > evidence(platform).candidate.bytes
    assert record.overlap_seconds > done["stage"].seconds + done["bake"].seconds


def test_an_answer_leads_back_to_the_rows_that_its_model_was_trained_on(platform: Platform, demo: object) -> None:
    answer = chat(platform, "where is my parcel")
    release, deadline = answer.headers["x-model-release"], time.monotonic() + 30
    while (told := platform.ratchet("trace", answer.json()["id"])).returncode and time.monotonic() < deadline:
        time.sleep(0.5)  # Envoy writes its log once in a while

    assert told.returncode == 0, told.stderr
    for words in (f"{release}: promoted", "adapter", "version 0", "trained on", f"ratchet report {release}"):
        assert words in told.stdout


def test_the_litert_bundle_agrees_with_the_model(platform: Platform, demo: object, tmp_path: Path) -> None:
    decided = evidence(platform)
    folder = platform.world.store.fetch_folder(decided.bundle, tmp_path / "bundle")

    assert decided.conversion_verdict == "PASS"
    assert {".tflite", ".litertlm"} <= {path.suffix for path in folder.iterdir()}


def test_the_ledger_tells_the_story_and_the_router_and_the_registry_agree(platform: Platform, demo: object) -> None:
    ledger = platform.world.ledger("support")
    events = ledger.events()
    live, state = production(events), platform.world.router.read()

    assert [e.kind for e in events if e.kind != "baked"] == ["bootstrap", "approved", "promoting", "promoted"]
    assert next(e for e in events if e.kind == "approved").by == "release-manager"
    assert live
    assert state
    assert (state.active, state.previous) == ("green", "blue")
    assert state.models["green"] == live.model.sha256


def test_the_serving_colour_answers_with_its_release(platform: Platform, demo: object) -> None:
    live = production(platform.world.ledger("support").events())
    assert live

    response = chat(platform, "my parcel is late")

    assert response.status_code == 200
    assert response.headers["x-ratchet-colour"] == "green"
    assert response.headers["x-model-release"] == live.release_id


def test_only_inference_routes_are_reachable(platform: Platform, demo: object) -> None:
    for path in ("/metrics", "/v1/load_lora_adapter", "/docs", "/admin"):
        assert httpx.get(f"{platform.edge}{path}", timeout=10, trust_env=False).status_code == 404, path


def test_retraining_without_new_data_is_skipped_and_green(platform: Platform, demo: object) -> None:
    done = platform.ratchet("retrain")

    assert done.returncode == 0, done.stderr
    assert "skipped" in done.stdout


def test_rolling_back_and_asking_all_the_while_fails_no_request(platform: Platform, demo: object) -> None:
    before = production(platform.world.ledger("support").events())
    with clients_asking(platform) as codes:
        time.sleep(2)
        done = platform.ratchet("rollback", "--reason", "a rehearsal")
        time.sleep(2)

    assert done.returncode == 0, done.stderr
    assert set(codes) == {200}
    assert len(codes) > 20
    live = production(platform.world.ledger("support").events())
    assert live
    assert before
    assert live.release_id != before.release_id
    assert chat(platform, "my parcel is late").headers["x-model-release"] == live.release_id


def test_the_same_inputs_are_found_and_not_run_again(platform: Platform, demo: object) -> None:
    # After the roll-back production is the base again, so the same release is worth making, of the same inputs.
    steps = [name for name, step in STEPS.items() if not step.acts]
    before = {name: platform.world.store.keys(f"manifests/{name}/") for name in steps}

    done = platform.ratchet("retrain")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "waits for approval" in done.stdout
    assert {
        name: platform.world.store.keys(f"manifests/{name}/") for name in ("finetune", "evaluate", "gate", "convert")
    } == {name: before[name] for name in ("finetune", "evaluate", "gate", "convert")}


def test_a_rejected_release_leaves_the_preview_and_production_as_it_was(platform: Platform, demo: object) -> None:
    before = production(platform.world.ledger("support").events())

    done = platform.ratchet("reject", "--reason", "a rehearsal")

    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 120
    while platform.world.engine.loaded("green") is not None and time.monotonic() < deadline:
        time.sleep(2)
    assert production(platform.world.ledger("support").events()) == before
    assert chat(platform, "my parcel is late").status_code == 200
