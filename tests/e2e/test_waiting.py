"""An approval that nobody answers, on a real Airflow: its database, its parking of the task, its scheduler's sweep."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.events import event
from tests.fakes.web import web_server

from ratchet.clients.settings import load
from ratchet.clients.world import World

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent / "waiting"
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Ended:
    states: dict[str, str]
    world: World
    messages: list[dict[str, Any]]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    home = tmp_path_factory.mktemp("waiting")
    config = home / "ratchet.toml"
    config.write_text('[notify]\napprovals = "people"\nescalations = "people"\n', "utf-8")
    settings = load(config)
    settings.secrets.mkdir(parents=True)
    world = World(settings, settings.scratch)
    world.ledger("support").append(lambda events: event("bootstrap", "a"))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "RATCHET"))},
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__API__BASE_URL": "http://airflow.test",
        "RATCHET_CONFIG": str(config),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tasks'}",
    }
    with web_server([200]) as (people, messages):
        (settings.secrets / "people").write_text(f"json://{people}/", "utf-8")
        _run([BIN / "airflow", "db", "migrate"], environment)
        out = _run([sys.executable, HERE / "play.py"], environment)
    return Ended(json.loads(out.splitlines()[-1]), world, messages)


def _run(command: list[Any], environment: dict[str, str]) -> str:
    """Its standard output. In a session of its own: what it started ends with it."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=600)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, f"{out[-4000:]}\n{err[-4000:]}"
    return out


pytestmark = pytest.mark.timeout(1300)


def test_a_time_out_rejects_in_the_ledger_by_nobody(ended: Ended) -> None:
    (_, rejected) = ended.world.ledger("support").events()

    assert (rejected.kind, rejected.release_id, rejected.by) == ("rejected", "b", "time-out")


def test_a_time_out_skips_the_promotion_and_unloads(ended: Ended) -> None:
    assert ended.states == {
        "stage": "success",
        "approve": "success",
        "promote": "skipped",
        "unload": "success",
        "remind": "success",
    }


def test_people_were_asked_reminded_and_told_of_the_time_out_each_once(ended: Ended) -> None:
    titles = [message["title"] for message in ended.messages]

    assert titles == ["b waits for approval", "b still waits for approval", "Rejected: nobody answered about b"]


def test_the_request_names_the_form_in_airflow(ended: Ended) -> None:
    (request, *_) = ended.world.notices("support").records()

    assert f"http://airflow.test/dags/release_support/runs/{request.run_id[:8]}" in ended.messages[0]["message"]
    assert "/tasks/approve/required_actions" in ended.messages[0]["message"]
