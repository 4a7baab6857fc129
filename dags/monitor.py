"""Looks at production of this platform's line, and after people whose approval is waited for. It moves nothing.

`monitor` is red when production is not what the ledger says, or answers otherwise than when it was approved:
docs/runbooks/monitor.md. `remind` sends what is due of a release that waits: a reminder, then an escalation.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from ratchet.clients.settings import load
from ratchet.orchestration.operator import step_task
from ratchet.orchestration.reminders import RemindApprovers
from ratchet.orchestration.tracing import SPAN_OF_THE_RUN
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

SETTINGS = load()


def monitor(recipe: Recipe) -> DAG:
    with DAG(
        dag_id=f"monitor_{recipe.line}",
        description=f"Looks at production of {recipe.line}, and after people who are waited for.",
        doc_md=__doc__,
        schedule=CronTriggerTimetable(recipe.monitor_schedule, timezone="UTC"),
        # No start date: with one, Airflow would start a run for the last period as soon as the DAG is there.
        catchup=False,
        max_active_runs=1,
        tags=["ratchet", "monitor", recipe.line],
        **SPAN_OF_THE_RUN,
        default_args={
            "owner": recipe.owner,
            "retries": 2,
            "retry_delay": timedelta(minutes=1),
            "execution_timeout": timedelta(minutes=10),
        },
    ) as dag:
        step_task(
            recipe,
            step="monitor",
            inputs={
                "line": recipe.line,
                "task": recipe.split_task.name,
                "num_golden_prompts": recipe.stage.num_golden_prompts,
                "max_answer_tokens": recipe.stage.max_answer_tokens,
                "min_golden_agreement": recipe.stage.min_golden_agreement,
                "max_error_rate": recipe.bake.max_error_rate,
            },
        )
        RemindApprovers(
            task_id="remind",
            line=recipe.line,
            approval=(f"release_{recipe.line}", "approve"),
            reminder_hours=recipe.approval_reminder_hours,
            escalation_hours=recipe.approval_escalation_hours,
            escalate_to=recipe.escalate_to,
        )
    return dag


globals()[f"monitor_{SETTINGS.recipe}"] = monitor(load_recipe(SETTINGS.recipe, SETTINGS.root))
