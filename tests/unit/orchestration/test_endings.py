"""A run that ended failed is told once, with what to type; whatever is wrong with the telling, the rest goes on."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.fakes.web import web_server

from ratchet.clients import manifests
from ratchet.clients.settings import CONFIG_VARIABLE, load
from ratchet.clients.world import World
from ratchet.core.failures import failures
from ratchet.core.memo import ErrorRecord
from ratchet.orchestration.endings import TOLD_WHEN_IT_FAILS
from ratchet.orchestration.tracing import SPAN_OF_THE_RUN

RUN_ID = "weekly-7"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "ratchet.toml").write_text('recipe = "support"\n[notify]\nfailures = "notify-failures"\n', "utf-8")
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "ratchet.toml"))
    return World(load(), tmp_path / "work")


def failing(task_id: str | None) -> None:
    """As Airflow's DAG processor calls it: without a task when no task of the run is to blame."""
    task = SimpleNamespace(task_id=task_id)
    context = {"dag": SimpleNamespace(dag_id="release_support"), "run_id": RUN_ID, "reason": "task_failure"}
    for callback in TOLD_WHEN_IT_FAILS["on_failure_callback"]:
        callback(context | ({"task": task} if task_id else {}))


def record(world: World, step: str, code: str | None, run_id: str = RUN_ID) -> None:
    manifests.write_error(
        world.store,
        ErrorRecord(
            **{"step": step, "key": "ab" * 32, "run_id": run_id, "attempt": "4", "code": code, "error": "BadRows"},
            **{"message": "row 3 says 'my card is 4111'", "exit_code": 65, "traceback": None, "at": datetime.now(UTC)},
        ),
    )


def told(caplog: pytest.LogCaptureFixture) -> str:
    (message,) = [record.getMessage() for record in caplog.records if record.name == "ratchet.notify"]
    return message


def test_a_failed_run_reaches_a_service_with_its_step_its_reason_and_the_command(world: World) -> None:
    record(world, "evaluate", "KILLED")
    with web_server([200]) as (address, received):
        world.settings.secrets.mkdir(parents=True)
        (world.settings.secrets / "notify-failures").write_text(f"json://{address}/\n", "utf-8")
        failing("evaluate_candidate")

    (message,) = received
    killed = failures()["KILLED"]
    assert message["title"] == f"release_support failed in evaluate_candidate: {killed.title}"
    for part in ("weekly-7 of support", killed.waiting, f"`ratchet explain {RUN_ID}`"):
        assert part in message["message"]
    assert "4111" not in str(message)


@pytest.mark.parametrize(
    ("of", "code", "run_id"),
    [
        ("finetune", "STOPPED", RUN_ID),  # tried again since, with success
        ("evaluate", "KILLED", "weekly-6"),
        ("evaluate", None, RUN_ID),  # written by a version that knew no codes
    ],
)
def test_no_reason_is_told_that_is_not_that_of_the_task_that_failed(
    world: World, caplog: pytest.LogCaptureFixture, of: str, code: str | None, run_id: str
) -> None:
    record(world, of, code, run_id)
    failing("evaluate_candidate")

    text = told(caplog)
    assert "release_support failed in evaluate_candidate: Run weekly-7" in text
    assert "docs/runbooks/run-fails.md" in text
    assert "`ratchet verify`" in text


def test_a_task_that_is_no_step_and_a_run_without_one_are_told_too(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    record(world, "finetune", "STOPPED")
    failing("approve")
    assert "release_support failed in approve" in told(caplog)

    caplog.clear()
    failing(None)
    assert "release_support failed: Run weekly-7 of support ended failed, and no step" in told(caplog)


def test_a_store_that_is_away_keeps_nobody_from_being_told(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(manifests, "last_failure", away)
    with caplog.at_level(logging.WARNING):
        failing("finetune")

    assert "release_support failed in finetune" in told(caplog)


def test_only_a_failure_is_told_and_each_end_stays_the_root_of_its_trace() -> None:
    first, *others = TOLD_WHEN_IT_FAILS["on_failure_callback"]

    assert first is SPAN_OF_THE_RUN["on_failure_callback"]
    assert len(others) == 1
    assert TOLD_WHEN_IT_FAILS["on_success_callback"] is SPAN_OF_THE_RUN["on_success_callback"]
