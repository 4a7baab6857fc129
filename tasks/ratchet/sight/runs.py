"""What Airflow says of the newest runs of each DAG. A run is red only when its retries are used up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, Protocol

from prometheus_client.metrics_core import Metric

from ratchet.clients.airflow import TaskState
from ratchet.sight.families import gauges, one_of, seconds

STATES = ("queued", "running", "success", "failed")
NUM_RUNS = 10
Run = Mapping[str, Any]


class Tells(Protocol):
    """What is asked of Airflow (clients/airflow.py)."""

    def knows(self, dag_id: str) -> bool: ...

    def runs(self, dag_id: str, limit: int = NUM_RUNS) -> Sequence[Run]: ...

    def tasks(self, dag_id: str, run_id: str) -> Sequence[TaskState]: ...

    def output(self, dag_id: str, run_id: str, task_id: str, field: str) -> Any: ...


@dataclass(frozen=True)
class DagFacts:
    """`runs`: newest first. `tasks`: those of the newest run that has ended."""

    dag_id: str
    runs: Sequence[Run]
    tasks: Sequence[TaskState]


@dataclass(frozen=True)
class RunFacts:
    line: str
    dags: Sequence[DagFacts]


def gather(airflow: Tells, line: str) -> RunFacts:
    names = [f"{kind}_{line}" for kind in ("release", "intake", "monitor", "drill", "drift", "quality")]
    return RunFacts(line, [_dag(airflow, name) for name in names if airflow.knows(name)])


def families(facts: RunFacts) -> list[Metric]:
    line = facts.line
    newest = {dag.dag_id: dag.runs[0] for dag in facts.dags if dag.runs}
    return [
        gauges(
            line,
            "ratchet_dag_last_run_state",
            "State of the DAG's newest run: 1 for the one that it is in.",
            ("dag", "state"),
            {
                (dag, state): value
                for dag, run in newest.items()
                for (state,), value in one_of(STATES, run["state"]).items()
            },
        ),
        gauges(
            line,
            "ratchet_dag_last_run_timestamp_seconds",
            "When the DAG's newest run began, or was asked for.",
            ("dag",),
            {(dag,): seconds(_began(run)) for dag, run in newest.items()},
        ),
        gauges(
            line,
            "ratchet_dag_failures_in_a_row",
            "How many of the newest ended runs failed, up to the last one that did not.",
            ("dag",),
            {(dag.dag_id,): float(failures_in_a_row(dag.runs)) for dag in facts.dags},
        ),
        gauges(
            line,
            "ratchet_task_failed",
            "Did this task of the newest ended run fail, with all its retries?",
            ("dag", "task"),
            {(dag.dag_id, task.task_id): float(task.state == "failed") for dag in facts.dags for task in dag.tasks},
        ),
        gauges(
            line,
            "ratchet_task_retries",
            "How often this task of the newest ended run was tried again.",
            ("dag", "task"),
            {
                (dag.dag_id, task.task_id): float(max(task.try_number - 1, 0))
                for dag in facts.dags
                for task in dag.tasks
            },
        ),
    ]


def has_ended(run: Run) -> bool:
    return run["state"] in ("success", "failed")


def failures_in_a_row(runs: Sequence[Run]) -> int:
    ended = [run["state"] for run in runs if has_ended(run)]
    return len(list(takewhile(lambda state: state == "failed", ended)))


def _dag(airflow: Tells, dag_id: str) -> DagFacts:
    runs = airflow.runs(dag_id, NUM_RUNS)
    ended = next((run["dag_run_id"] for run in runs if has_ended(run)), None)
    return DagFacts(dag_id, runs, airflow.tasks(dag_id, ended) if ended else ())


def _began(run: Run) -> datetime | None:
    at = run.get("start_date") or run.get("run_after")
    return datetime.fromisoformat(at) if at else None
