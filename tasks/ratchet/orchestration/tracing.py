"""What Airflow alone knows of a run's trace: its root, the wait for a person, and work that was found."""

from datetime import UTC, datetime
from typing import Any

from ratchet.clients.settings import load
from ratchet.clients.traces import tell_part, tell_run
from ratchet.core.telemetry import RUN_ID, RunTrace


def trace_of(context: Any) -> RunTrace:
    """Of the run that a task belongs to."""
    return RunTrace.of(context["ti"].dag_id, context["run_id"])


def _tell_success(context: Any) -> None:
    _tell(context, "success")


def _tell_failure(context: Any) -> None:
    _tell(context, "failure")


# For each DAG that works on releases and their data. Airflow calls them once, when a run has ended.
SPAN_OF_THE_RUN = {"on_success_callback": _tell_success, "on_failure_callback": _tell_failure}


def _tell(context: Any, result: str) -> None:
    """Of a run whose tasks were all skipped Airflow says its name alone: its root has no length."""
    run, dag_id, now = context.get("dag_run"), context["dag"].dag_id, datetime.now(UTC)
    times = (run.start_date, run.end_date or now) if run and run.start_date else (now, now)
    named = {"cicd.pipeline.name": dag_id, RUN_ID: context["run_id"], "cicd.pipeline.result": result}
    failed = {"error.type": "run"} if result == "failure" else {}
    tell_run(load(), RunTrace.of(dag_id, context["run_id"]), dag_id, times, {**named, **failed})


def tell_waited(context: Any, task: str, by: str) -> None:
    """From the task's first start, which asked, to now."""
    times = (context["ti"].start_date, datetime.now(UTC))
    tell_part(load(), trace_of(context), task, times, {RUN_ID: context["run_id"], "ratchet.by": by})
