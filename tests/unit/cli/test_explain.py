"""`ratchet explain`: of the newest failure, of a run's, and of a code."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from ratchet.cli import show
from ratchet.cli.explain import explain
from ratchet.clients import manifests
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.errors import NothingToDo, TerminalError
from ratchet.core.failures import failures
from ratchet.core.memo import ErrorRecord

NOW = datetime.now(UTC)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


def failed(world: World, step: str, code: str | None, run_id: str, minutes_ago: int, **fields: object) -> None:
    record = ErrorRecord(
        step=step,
        key="0" * 64,
        run_id=run_id,
        attempt="2",
        code=code,
        error="Some",
        message=f"{step} says [why]",
        exit_code=65,
        traceback=None,
        at=NOW - timedelta(minutes=minutes_ago),
    )
    manifests.write_error(world.store, record.model_copy(update=fields))


def told(world: World, what: str | None = None) -> str:
    console = Console(record=True, width=200)
    explain(world.store, what, console)
    return console.export_text()


def test_a_code_is_told_with_cause_and_what_to_do(world: World) -> None:
    said = told(world, "CONVERT_TIMEOUT")

    row = failures()["CONVERT_TIMEOUT"]
    assert all(text in said for text in (row.title, row.cause, row.waiting, row.do, "docs/measurements.md#litert"))


def test_a_run_is_told_by_its_newest_failure_in_the_steps_own_words(world: World) -> None:
    failed(world, "prepare", "DATA_UNUSABLE", "run-1", minutes_ago=9)
    failed(world, "finetune", "TRAIN_OOM", "run-1", minutes_ago=5)
    failed(world, "gate", "GATE_MISSING_EVIDENCE", "run-2", minutes_ago=1)

    said = told(world, "run-1")

    assert "finetune, attempt 2 of run-1" in said
    assert "Some: finetune says [why]" in said
    assert failures()["TRAIN_OOM"].do in said
    assert "GATE_MISSING_EVIDENCE" not in said
    assert "GATE_MISSING_EVIDENCE" in told(world)


def test_a_bug_shows_the_end_of_its_traceback(world: World) -> None:
    failed(world, "gate", "BUG", "run-1", 1, traceback="\n".join(f"line {n}" for n in range(40)))

    said = told(world, "run-1")

    assert "line 39" in said
    assert "line 20" not in said


def test_a_record_of_before_there_were_codes_is_told_as_it_is(world: World) -> None:
    failed(world, "gate", None, "run-1", minutes_ago=1)

    assert "gate says [why]" in told(world)


def test_what_is_neither_is_refused_with_the_codes_there_are(world: World) -> None:
    with pytest.raises(TerminalError, match=r"TRAIN_OMM: expected a run with a failed step, .* codes .*TRAIN_OOM"):
        told(world, "TRAIN_OMM")


def test_without_any_failure_there_is_nothing_to_explain(world: World) -> None:
    with pytest.raises(NothingToDo, match="no step has failed yet"):
        told(world)


@pytest.mark.parametrize(
    ("minutes_ago", "exit_code", "shown"), [(5, 65, True), (5, 99, False), (60 * 24 * 7, 65, False)]
)
def test_status_names_a_fresh_failure(world: World, minutes_ago: int, exit_code: int, shown: bool) -> None:
    failed(world, "gate", "GATE_MISSING_EVIDENCE", "run-1", minutes_ago, exit_code=exit_code)
    console = Console(record=True, width=200)

    show.last_failure(world, console)

    assert ("GATE_MISSING_EVIDENCE" in (said := console.export_text())) is shown
    assert ("`ratchet explain run-1`" in said) is shown
