"""Looks at production of this platform's line, and after people whose approval is waited for. It moves nothing.

`monitor` is red when production is not what the ledger says, or answers otherwise than when it was approved:
docs/runbooks/monitor.md. `remind` sends what is due of a release that waits: a reminder, then an escalation.
"""

from airflow.sdk import DAG

from ratchet.clients.settings import load
from ratchet.orchestration.heads import timed
from ratchet.orchestration.operator import step_task
from ratchet.orchestration.reminders import RemindApprovers
from ratchet.orchestration.tracing import SPAN_OF_THE_RUN
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

SETTINGS = load()


def monitor(recipe: Recipe) -> DAG:
    with DAG(
        **timed(recipe, "monitor", recipe.monitor_schedule, retry_minutes=1, timeout_minutes=10),
        description=f"Looks at production of {recipe.line}, and after people who are waited for.",
        doc_md=__doc__,
        **SPAN_OF_THE_RUN,
    ) as dag:
        step_task(
            recipe, step="monitor", inputs={**recipe.asking_again(), "max_error_rate": recipe.bake.max_error_rate}
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
