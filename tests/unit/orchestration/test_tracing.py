import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ratchet.clients.settings import Settings, load
from ratchet.clients.traces import trace_file
from ratchet.core.telemetry import RunTrace
from ratchet.orchestration.tracing import SPAN_OF_THE_RUN, tell_waited, trace_of

BEGAN = datetime(2026, 1, 5, 3, tzinfo=UTC)
RUN = RunTrace.of("release_support", "by-mia")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    config = tmp_path / "ratchet.toml"
    config.write_text("")
    monkeypatch.setenv("RATCHET_CONFIG", str(config))
    return load()


def _context(**dag_run: Any) -> dict[str, Any]:
    """What Airflow gives to a task, and to a DAG's callback: there without `dag_run` when no task of it is known."""
    return {
        "dag": SimpleNamespace(dag_id="release_support"),
        "ti": SimpleNamespace(dag_id="release_support", start_date=BEGAN),
        "run_id": "by-mia",
        **({"dag_run": SimpleNamespace(**dag_run)} if dag_run else {}),
    }


def _told(settings: Settings) -> dict[str, Any]:
    (line,) = trace_file(settings, RUN).read_text("utf-8").splitlines()
    return json.loads(line)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("callback", "result", "status"),
    [("on_success_callback", "success", "UNSET"), ("on_failure_callback", "failure", "ERROR")],
)
def test_a_run_that_ended_is_the_root_of_its_trace(settings: Settings, callback: str, result: str, status: str) -> None:
    SPAN_OF_THE_RUN[callback](_context(start_date=BEGAN, end_date=BEGAN + timedelta(hours=1)))

    told = _told(settings)
    assert (told["name"], told["parent_id"]) == ("release_support", None)
    assert told["attributes"]["cicd.pipeline.result"] == result
    assert told["status"]["status_code"] == status
    assert (told["start_time"][:19], told["end_time"][:19]) == ("2026-01-05T03:00:00", "2026-01-05T04:00:00")


def test_a_run_whose_tasks_were_all_skipped_is_told_without_its_length(settings: Settings) -> None:
    SPAN_OF_THE_RUN["on_success_callback"](_context())

    told = _told(settings)
    assert told["attributes"]["cicd.pipeline.result"] == "success"
    assert told["start_time"] == told["end_time"]


def test_the_wait_for_a_person_is_a_part_of_the_run(settings: Settings) -> None:
    tell_waited(_context(), "approve", "mia")

    told = _told(settings)
    assert told["start_time"].startswith("2026-01-05T03:00:00")
    assert told["attributes"]["ratchet.by"] == "mia"
    assert told["parent_id"] == f"0x{trace_of(_context()).span_id:016x}"
