"""A budget on a real Airflow: the real DAG and its first steps, over a history that says that a release is dear."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.fakes.costs import done, run
from tests.fakes.datasets import MIA, looked_at
from tests.fakes.events import event, model

from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.failures import failures
from ratchet.intake.versions import add_version

ROOT = Path(__file__).parent.parent.parent
AIRFLOW = str(Path(sys.executable).parent / "airflow")
NOBODY = "http://127.0.0.1:9"
SETTINGS = f"""
root = "{ROOT}"
state_dir = "{{state}}"
tracking_uri = "{NOBODY}"
[costs]
currency = "EUR"
cpu_per_hour = 1.0
"""
REASON = "the audit {{ 7 * 7 }} needs it"

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Place:
    world: World
    environment: dict[str, str]

    def release(self, *options: str) -> str:
        """All that Airflow says of a run, which fails in the one way or the other."""
        command = [AIRFLOW, "dags", "test", "release_support", *options]
        ended = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=400, check=False)
        assert ended.returncode != 0
        return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One release of a thousand rows took an hour; sixty new ones wait, all of one label, which validate refuses."""
    home = tmp_path_factory.mktemp("budget")
    config = home / "ratchet.toml"
    config.write_text(SETTINGS.format(state=home / "state"), "utf-8")
    world = World(load(config), home / "scratch")
    world.ledger("support").append(lambda events: event("bootstrap", "a"))
    world.store.create("bases/ratchet-tiny.json", model("tiny"))
    add_version(world, "support", *looked_at(world, [f"where is parcel {number}" for number in range(60)]), MIA)
    world.costs("support").append(lambda records: run("support-0", done("stage", 3600)))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "RATCHET"))},
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "budget" / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "RATCHET_CONFIG": str(config),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tasks'}",
    }
    subprocess.run([AIRFLOW, "db", "migrate"], env=environment, capture_output=True, timeout=400, check=True)
    return Place(world, environment)


def _told(said: str) -> str:
    """The title of the one message that people were sent, or would have been."""
    (title,) = re.findall(r"release_support failed[^:]*: [^:]*", said)
    return title


def test_a_release_above_its_budget_does_not_begin_and_leaves_no_cost(place: Place) -> None:
    said = place.release()

    assert "a retry cannot help. OverBudget: the release was not started: the forecast is about 60 min of steps" in said
    assert "the recipe allows 0.50 EUR for a release" in said
    assert _told(said) == f"release_support failed in resolve: {failures()['OVER_BUDGET'].title}"
    assert place.world.store.keys("manifests/resolve/") == []
    assert len(place.world.costs("support").records()) == 1


def test_with_a_reason_it_begins_and_its_cost_is_kept_though_it_fails(place: Place) -> None:
    place.release("--conf", json.dumps({"over_budget": REASON}))

    record = place.world.costs("support").records()[-1]
    assert (record.over_budget, record.forecast.seconds, record.num_rows) == (REASON, 3600, 60)
    assert "resolve" in {task.task for task in record.tasks}
