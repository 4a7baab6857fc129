import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from tests.fakes.datasets import receipt
from tests.fakes.records import drill, version

from ratchet.cli import show
from ratchet.cli.watch import Run
from ratchet.clients.airflow import TaskState
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.intake.versions import Added
from ratchet.validate.contract import Example, ReasonCount, ValidateOutputs


def _told(world: World) -> str:
    console = Console(record=True, width=100)
    show.last_drill(world, "support", console)
    return console.export_text()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


def test_before_the_first_drill_it_says_who_does_it(world: World) -> None:
    assert "no drill of the way back yet: drill_support" in _told(world)


@pytest.mark.parametrize(("cold_start", "word"), [(False, "answered"), (True, "came up")])
def test_the_newest_drill_is_told_with_its_age_and_seconds(world: World, cold_start: bool, word: str) -> None:
    for days, release in ((10, "a"), (3, "b")):
        took = {"cold_start": cold_start, "ready_seconds": 0.42, "switch_seconds": 0.0123}
        made = drill(at=datetime.now(UTC) - timedelta(days=days), release_id=release, colour="green", **took)
        world.drills("support").append(lambda _, made=made: made)

    assert f"3 days ago: b on green {word} in 0.4 s, the switch takes 0.012 s" in _told(world)


def test_the_rejected_rows_are_the_owners_alone_to_read(world: World) -> None:
    ref = world.store.put_bytes(b'{"row": 1, "reasons": ["secret"]}\n')
    reasons = (
        ReasonCount(
            reason="personal",
            rule="no e-mail",
            action="redact",
            num_rows=2,
            examples=(Example(row=2), Example(row=4)),
        ),
        ReasonCount(
            reason="text_length",
            rule="text has 10 characters",
            action="quarantine",
            num_rows=1,
            examples=(Example(row=3, text="[red]wee[/]"), Example(row=5, text="x" * 200), Example(row=6)),
        ),
    )
    told_in = receipt(reasons=[reason.model_dump(mode="json") for reason in reasons])
    checked = ValidateOutputs(
        status="ACCEPTED",
        accepted=ref,
        quarantine=ref,
        receipt=world.store.put_bytes(told_in),
        page=ref,
        num_read=3,
        num_accepted=2,
        num_quarantined=1,
        num_redacted=1,
        num_warned=0,
        num_labels=2,
        reasons=(),
        changes=None,
        refusals=(),
    )
    console = Console(record=True, width=100)

    made = version(ref, num_rows=2)

    show.receipt(world, "[old] tick\x1b[2Jets.csv", checked, Added(made, is_new=True), console)

    (kept,) = (world.settings.state / "quarantine").iterdir()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    told = console.export_text()
    assert "[old] tick�[2Jets.csv: read 3 rows, accepted 2 (redacted 1, warned of 0), quarantined 1, labels 2" in told
    assert "2  redacted     personal     no e-mail" in told
    shown = [line.strip() for line in told.splitlines() if line.strip().startswith("row ")]
    assert shown[:2] == ["row 2, 4", "row 3 (also 6): [red]wee[/]"]
    (for_machines,) = (world.settings.state / "receipts").glob("*.json")
    assert json.loads(for_machines.read_bytes())["version"]["rows_sha256"] == made.rows.sha256
    page = for_machines.with_suffix(".html").read_text("utf-8")
    assert "the next release trains on it.</b>" in page
    assert made.rows.sha256 in page
    assert shown[2].endswith("x…")


class Ended:
    """Only what `outcome` asks of Airflow about a run that failed in one of these tasks."""

    def __init__(self, failed_in: str) -> None:
        self.failed_in = failed_in

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        names = ("resolve", "approve", "promote", "bake")
        at = names.index(self.failed_in)
        states = ["success"] * at + ["failed"] + ["upstream_failed"] * (len(names) - at - 1)
        return [TaskState(task_id=name, state=state) for name, state in zip(names, states, strict=True)]

    def output(self, dag_id: str, run_id: str, task_id: str, field: str) -> None:
        return None

    def log(self, dag_id: str, run_id: str, task: TaskState) -> list[str]:
        return ["started", f"AirflowFailException: {task.task_id} failed and a retry cannot help. OverBudget: [dear]"]


def outcome(failed_in: str) -> str:
    console = Console(record=True, width=60)
    show.outcome(Ended(failed_in), Run("release_support", "run-1"), "failed", console)  # type: ignore[arg-type]
    return console.export_text()


@pytest.mark.parametrize(
    ("failed_in", "unchanged"), [("resolve", True), ("approve", True), ("promote", False), ("bake", False)]
)
def test_that_production_is_unchanged_is_said_only_where_nobody_began_to_change_it(
    failed_in: str, unchanged: bool
) -> None:
    text = outcome(failed_in)

    assert ("production is unchanged" in text) is unchanged
    assert ("`ratchet status` says what is in production now" in text) is not unchanged


def test_why_a_run_failed_for_good_is_told_where_it_was_started() -> None:
    text = outcome("resolve")

    assert "run-1 failed in resolve" in text
    assert "OverBudget: [dear]" in text
    assert "started" not in text
