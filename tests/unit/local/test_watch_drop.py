"""The watcher hands each file to the intake once: when it stands still, and again after an outage."""

from pathlib import Path

import pytest

from ratchet.clients.airflow import AirflowUnavailable, RunThere
from ratchet.intake.drop import LocalDrop
from ratchet.local.watch_drop import Watcher


class FakeAirflow:
    """Refuses a second run of one name, as Airflow does. `away` fails every call."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, object]] = {}
        self.away = False

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, object]) -> None:
        if self.away:
            raise AirflowUnavailable("away")
        if run_id in self.runs:
            raise RunThere("there is such a run")
        self.runs[run_id] = {"dag": dag_id, **conf}

    @property
    def files(self) -> list[object]:
        return [run["file"] for run in self.runs.values()]


@pytest.fixture
def airflow() -> FakeAirflow:
    return FakeAirflow()


@pytest.fixture
def watcher(tmp_path: Path, airflow: FakeAirflow) -> Watcher:
    return Watcher(LocalDrop(tmp_path), airflow, "intake_support")


def test_a_file_has_its_run_once_it_stands_still_and_only_one(
    watcher: Watcher, airflow: FakeAirflow, tmp_path: Path
) -> None:
    (tmp_path / "monday export.csv").write_text("one")
    watcher.look()
    assert airflow.files == []

    for _ in range(3):
        watcher.look()

    assert list(airflow.runs.values()) == [{"dag": "intake_support", "file": "monday export.csv", "by": "drop folder"}]
    assert all(run.isascii() and " " not in run for run in airflow.runs)


def test_a_file_that_grows_waits_until_it_does_not(watcher: Watcher, airflow: FakeAirflow, tmp_path: Path) -> None:
    for content in ("a", "ab", "abc"):
        (tmp_path / "grows.csv").write_text(content)
        watcher.look()
    assert airflow.files == []

    watcher.look()

    assert airflow.files == ["grows.csv"]


def test_a_later_file_of_the_same_name_has_its_own_run(watcher: Watcher, airflow: FakeAirflow, tmp_path: Path) -> None:
    for content in ("monday", "tuesday's"):
        (tmp_path / "export.csv").write_text(content)
        watcher.look()
        watcher.look()

    assert airflow.files == ["export.csv", "export.csv"]


def test_a_watcher_that_was_started_again_tells_nobody_twice(
    watcher: Watcher, airflow: FakeAirflow, tmp_path: Path
) -> None:
    (tmp_path / "export.csv").write_text("one")
    for looking in (watcher, Watcher(LocalDrop(tmp_path), airflow, "intake_support")):
        looking.look()
        looking.look()

    assert airflow.files == ["export.csv"]


def test_while_airflow_is_away_files_wait(watcher: Watcher, airflow: FakeAirflow, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("one")
    airflow.away = True
    watcher.look()
    watcher.look()
    airflow.away = False

    watcher.look()

    assert airflow.files == ["a.csv", "b.csv"]


def test_a_folder_that_is_not_there_yet_is_an_empty_one(airflow: FakeAirflow, tmp_path: Path) -> None:
    watcher = Watcher(LocalDrop(tmp_path / "later"), airflow, "intake_support")

    watcher.look()

    assert airflow.files == []
