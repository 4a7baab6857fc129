"""What the intake's tasks make of a dropped file: a version and one event, or a refusal that lies beside the file."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from tests.fakes.datasets import DATASET, hand_in, looked_at, newest, texts_of

from ratchet.clients import manifests
from ratchet.clients.world import World
from ratchet.core.memo import ErrorRecord, Manifest
from ratchet.intake.drop import LocalDrop
from ratchet.orchestration.intake import AddVersion, SettleUpload, TakeUpload
from ratchet.orchestration.operator import work_of
from ratchet.validate.contract import ValidateInputs, ValidateOutputs

ROOT = Path(__file__).parents[3]
BEGAN = datetime(2020, 1, 6, tzinfo=UTC)


class Task:
    """What a running task knows of itself in Airflow: the run's parameters, other tasks' words, events to emit."""

    def __init__(self, began: datetime = BEGAN, **params: Any) -> None:
        given = {"note": "", "by": "", "replace": False, "text_column": None, "label_column": None, **params}
        self.pushed: dict[str, Any] = {}
        self.events: dict[Any, Any] = defaultdict(SimpleNamespace)
        self.context = {
            "params": given,
            "run_id": "run",
            "dag_run": SimpleNamespace(triggering_user_name="engineer", start_date=began),
            "outlet_events": self.events,
            "ti": SimpleNamespace(
                dag_id="intake_support",
                try_number=1,
                xcom_push=lambda key, value: self.pushed.update({key: json.loads(json.dumps(value))}),
                xcom_pull=lambda task_ids, key: self.pushed.get(key),
            ),
        }


@pytest.fixture
def world(world: World) -> World:
    world.settings.drop_dir("support").mkdir(parents=True)
    return world


@pytest.fixture
def drop(world: World) -> LocalDrop:
    return LocalDrop(world.settings.drop_dir("support"))


def taking(task: Task) -> dict[str, Any]:
    return TakeUpload(task_id="take", line="support", dataset=DATASET, base="tiny").execute(task.context)


def adding(task: Task, inputs: ValidateInputs) -> None:
    add = AddVersion(task_id="add", dataset=DATASET, inputs=inputs.model_dump(mode="json"))
    add.render_template_fields({})
    add.execute(task.context)


def settling(task: Task, inputs: ValidateInputs, stamp: str) -> str:
    settle = SettleUpload(task_id="settle", line="support", inputs=inputs.model_dump(mode="json"), stamp=stamp)
    settle.render_template_fields({})
    return settle.execute(task.context)


def validated(world: World, task: Task, inputs: ValidateInputs, checked: ValidateOutputs) -> None:
    """The step is done."""
    work = work_of("validate", inputs.model_dump(), task.context, world.settings)
    outputs = checked.model_dump(mode="json")
    done = Manifest(
        step="validate", key=work.key, outputs=outputs, started_at=BEGAN, wall_seconds=1.0, peak_memory_mib=1.0
    )
    manifests.write(world.store, done)


def failed(world: World, task: Task, inputs: ValidateInputs, exit_code: int, traceback: str | None = None) -> None:
    """The step is not done, and says why."""
    work = work_of("validate", inputs.model_dump(), task.context, world.settings)
    record = ErrorRecord(
        step="validate",
        key=work.key,
        error="BadUpload",
        message="monday.csv: not UTF-8",
        exit_code=exit_code,
        traceback=traceback,
        at=BEGAN + timedelta(seconds=1),
    )
    manifests.write_error(world.store, record)


def test_a_dropped_file_comes_into_the_store_with_the_rows_that_it_would_join(world: World, drop: LocalDrop) -> None:
    known = hand_in(world, "one").version
    (drop.folder / "monday.csv").write_bytes(b"text,label\n")

    taken = taking(Task(file="monday.csv"))

    assert taken["file_name"] == "monday.csv"
    assert taken["stamp"] == drop.find("monday.csv").stamp
    assert taken["previous"] == known.rows.model_dump(mode="json")
    assert world.store.find_bytes(taken["upload"]["sha256"]) == b"text,label\n"


def test_a_file_that_another_run_took_is_skipped(world: World) -> None:
    with pytest.raises(AirflowSkipException, match=r"monday\.csv"):
        taking(Task(file="monday.csv"))


def test_a_name_that_leads_elsewhere_fails_and_nothing_is_moved(world: World, drop: LocalDrop) -> None:
    (drop.folder.parent / "secret.csv").write_text("text,label\n")

    with pytest.raises(AirflowFailException, match="expected a plain name"):
        taking(Task(file="../secret.csv"))

    assert (drop.folder.parent / "secret.csv").is_file()


def test_a_link_fails_and_is_refused_for_good(world: World, drop: LocalDrop) -> None:
    (drop.folder / "link.csv").symlink_to("/etc/hostname")

    with pytest.raises(AirflowFailException, match="symbolic link"):
        taking(Task(file="link.csv"))

    assert drop.waiting() == []
    (receipt,) = (drop.folder / "refused").glob("*.receipt.json")
    assert "symbolic link" in json.loads(receipt.read_text())["sentence"]


def test_an_accepted_upload_is_a_version_and_one_event_and_its_file_lies_beside_its_receipt(
    world: World, drop: LocalDrop
) -> None:
    (drop.folder / "monday.csv").write_bytes(b"text,label\n")
    task = Task(file="monday.csv", by="drop folder", note="the monday export")
    inputs, checked = looked_at(world, ["one", "two"], "monday.csv")
    validated(world, task, inputs, checked)

    adding(task, inputs)
    where = settling(task, inputs, drop.find("monday.csv").stamp)

    version = newest(world)
    assert texts_of(world, version.rows) == ["one", "two"]
    assert (version.by, version.note) == ("drop folder via engineer", "the monday export")
    ((asset, event),) = task.events.items()
    assert asset.uri == "ratchet://datasets/tickets"
    assert (event.extra["version"], event.extra["rows_sha256"]) == (0, version.rows.sha256)
    assert event.extra["receipt_sha256"] == checked.receipt.sha256
    assert "/accepted/" in where
    assert json.loads(Path(f"{where}.receipt.json").read_text())["version"]["version"] == 0
    assert drop.waiting() == []


def test_a_file_that_adds_nothing_is_skipped_and_emits_no_event(world: World, drop: LocalDrop) -> None:
    (drop.folder / "again.csv").write_bytes(b"text,label\n")
    hand_in(world, "one")
    task = Task(began=datetime.now(UTC), file="again.csv")
    inputs, checked = looked_at(world, ["one"], "again.csv")
    validated(world, task, inputs, checked)

    with pytest.raises(AirflowSkipException, match="adds nothing"):
        adding(task, inputs)

    assert not task.events
    assert "/accepted/" in settling(task, inputs, drop.find("again.csv").stamp)


def test_an_attempt_that_was_killed_before_it_told_airflow_is_made_good_by_the_next(
    world: World, drop: LocalDrop
) -> None:
    task = Task(file="monday.csv")
    inputs, checked = looked_at(world, ["one"], "monday.csv")
    validated(world, task, inputs, checked)
    adding(Task(file="monday.csv"), inputs)

    adding(task, inputs)

    (event,) = task.events.values()
    assert event.extra["version"] == 0
    assert len(world.datasets(DATASET).records()) == 1


def test_a_refused_batch_fails_and_its_receipt_says_why(world: World, drop: LocalDrop) -> None:
    (drop.folder / "few.csv").write_bytes(b"text,label\n")
    task = Task(file="few.csv")
    inputs, checked = looked_at(world, ["one"], "few.csv", status="REFUSED")
    validated(world, task, inputs, checked)

    with pytest.raises(AirflowFailException, match="it has one label; the current version is unchanged"):
        adding(task, inputs)
    where = settling(task, inputs, drop.find("few.csv").stamp)

    assert "/refused/" in where
    assert json.loads(Path(f"{where}.receipt.json").read_text())["sentence"] == "it has one label"
    assert world.datasets(DATASET).records() == []


def test_a_file_that_cannot_be_read_is_refused_once(world: World, drop: LocalDrop) -> None:
    (drop.folder / "monday.csv").write_bytes(b"\xff")
    task = Task(file="monday.csv")
    inputs, _ = looked_at(world, ["one"], "monday.csv")
    failed(world, task, inputs, exit_code=65)

    where = settling(task, inputs, drop.find("monday.csv").stamp)

    assert json.loads(Path(f"{where}.receipt.json").read_text())["sentence"] == "monday.csv: not UTF-8"
    assert drop.waiting() == []


@pytest.mark.parametrize(
    ("exit_code", "traceback"), [(75, None), (65, "Traceback: a bug of ours"), (None, None)], ids=str
)
def test_a_file_is_not_refused_for_what_is_no_fault_of_its_own(
    world: World, drop: LocalDrop, exit_code: int | None, traceback: str | None
) -> None:
    (drop.folder / "monday.csv").write_bytes(b"text,label\n")
    task = Task(file="monday.csv")
    inputs, _ = looked_at(world, ["one"], "monday.csv")
    if exit_code:
        failed(world, task, inputs, exit_code, traceback)

    with pytest.raises(AirflowSkipException, match=r"monday\.csv stays in the drop folder"):
        settling(task, inputs, drop.find("monday.csv").stamp)

    assert [dropped.name for dropped in drop.waiting()] == ["monday.csv"]
