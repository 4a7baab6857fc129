"""What a run took and cost: for the decision report while it is under way, and kept when it has ended."""

from collections.abc import Sequence
from typing import Any, Protocol

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from ratchet.clients import manifests
from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.accounts import overlap_seconds, tasks_done
from ratchet.core.budget import OVER_BUDGET
from ratchet.core.costs import CostRecord, Forecast, Rates, StepWork
from ratchet.core.memo import MANIFEST_KEY
from ratchet.orchestration.operator import told_to_airflow
from ratchet.steps import STEPS


class StepTask(Protocol):
    """Either operator of a step."""

    task_id: str
    step: str
    output: Any


class OverBudgetReason:
    """Why this run may cost more than its budget, as whoever started it said; empty for one that started by itself.

    Airflow resolves it when the task runs, as data: it is never rendered as a template.
    """

    def __str__(self) -> str:
        return f"conf.{OVER_BUDGET}"

    def resolve(self, context: Any, *_: Any) -> str:
        return str((context["dag_run"].conf or {}).get(OVER_BUDGET, ""))


def work_so_far(rates: Rates | None, forecast: Any, tasks: Sequence[StepTask]) -> dict[str, Any]:
    """The fields of report's RunWork: `tasks` are the run's steps up to the report, resolve first."""
    return {
        "rates": rates,
        "forecast": forecast,
        "over_budget": OverBudgetReason(),
        "tasks": [_work(task.task_id, task.step, task.output[MANIFEST_KEY]) for task in tasks],
    }


class RecordCost(BaseOperator):
    """Keeps what the run cost, whatever became of it: the last task, a teardown."""

    ui_color = "#e8f0fe"

    def __init__(self, *, line: str, rates: Rates | None, steps: Sequence[StepTask], **kwargs: Any) -> None:
        """`steps`: all of the run's, resolve first."""
        super().__init__(**kwargs)
        self.line = line
        self.rates = rates
        self.steps = {task.task_id: task.step for task in steps}

    @told_to_airflow()
    def execute(self, context: Any) -> None:
        settings = load()
        world = World(settings, settings.scratch)
        keys = {task: context["ti"].xcom_pull(task_ids=task, key=MANIFEST_KEY) for task in self.steps}
        work = [StepWork(**_work(task, self.steps[task], key)) for task, key in keys.items() if key]
        found = [manifests.find(world.store, task.step, task.key) for task in work]
        began = found[0] if found and work[0].step == "resolve" else None
        if began is None:
            raise AirflowSkipException("the run ended before it was known what to release: it cost nothing")
        record = CostRecord(
            line=self.line,
            release_id=began.outputs["release_id"],
            run_id=context["run_id"],
            at=began.started_at,
            num_rows=began.outputs["num_rows"],
            tasks=tasks_done(work, found),
            overlap_seconds=overlap_seconds(found),
            rates=self.rates,
            forecast=Forecast.model_validate(began.outputs["forecast"]),
            over_budget=OverBudgetReason().resolve(context),
        )
        world.costs(self.line).append(lambda _: record)


def _work(task: str, step: str, key: Any) -> dict[str, Any]:
    """The fields of a StepWork; `key` is a digest, or a promise of one."""
    return {"task": task, "step": step, "key": key, "acts": STEPS[step].acts}
