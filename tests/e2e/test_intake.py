"""A file that somebody leaves in the drop folder becomes a version, and an event that a release answers."""

import csv
import json
import time
from pathlib import Path

import pytest
from tests.e2e.conftest import Platform

from ratchet.cli.release import airflow_of
from ratchet.clients.airflow import Airflow
from ratchet.intake.drop import LocalDrop

pytestmark = pytest.mark.timeout(2700)  # the first test of a session waits for the demo

FAR = 600.0


@pytest.fixture
def airflow(platform: Platform) -> Airflow:
    return airflow_of(platform.settings, "engineer")


@pytest.fixture
def folder(platform: Platform) -> Path:
    return platform.settings.drop_dir("support")


def ended(airflow: Airflow, dag_id: str, run_id_begins: str) -> dict:
    """The run, once it has come to an end."""
    deadline = time.monotonic() + FAR
    while time.monotonic() < deadline:
        for run in airflow.runs(dag_id):
            if run["dag_run_id"].startswith(run_id_begins) and run["state"] in ("success", "failed"):
                return run
        time.sleep(1)
    raise AssertionError(f"no run of {dag_id} named {run_id_begins}… ended in {FAR:.0f} s")


def test_rows_that_are_known_become_a_version_and_the_release_that_it_starts_is_skipped(
    platform: Platform, demo: object, airflow: Airflow, folder: Path, tmp_path: Path
) -> None:
    before = platform.world.datasets("support").records()
    with (platform.settings.state / "sample" / "support_tickets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[:401]
    with (tmp_path / "again.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    (tmp_path / "again.csv").rename(folder / "again.csv")
    (waiting,) = LocalDrop(folder).waiting()

    run = ended(airflow, "intake_support", f"drop-{waiting.mark}")

    assert run["state"] == "success"
    version = platform.world.datasets("support").records()[-1]
    assert version.seq == len(before)
    assert (version.by, version.file_name, version.kind) == ("drop folder via engineer", "again.csv", "append")
    receipt = json.loads((folder / "accepted" / f"{waiting.mark}-again.csv.receipt.json").read_text("utf-8"))
    assert receipt["version"]["rows_sha256"] == version.rows.sha256
    assert 0 <= receipt["changes"]["embedding"]["distance"] <= 1
    assert not LocalDrop(folder).waiting()
    release = ended(airflow, "release_support", "asset_triggered")
    assert release["state"] == "success"
    tasks = {task.task_id: task.state for task in airflow.tasks("release_support", release["dag_run_id"])}
    assert tasks["resolve"] == "skipped"


def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(
    platform: Platform, demo: object, airflow: Airflow, folder: Path
) -> None:
    before = platform.world.datasets("support").records()
    (folder / "broken.csv.part").write_bytes(b"text,label\n\xff\xfe,late\n")
    (folder / "broken.csv.part").rename(folder / "broken.csv")

    airflow.trigger("intake_support", "by-rest", {"file": "broken.csv", "note": "from outside"})

    assert ended(airflow, "intake_support", "by-rest")["state"] == "failed"
    (receipt,) = (folder / "refused").glob("*-broken.csv.receipt.json")
    assert "not UTF-8 at byte 11" in json.loads(receipt.read_text("utf-8"))["sentence"]
    assert platform.world.datasets("support").records() == before
