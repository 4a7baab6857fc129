"""What the DAGs that look after a line at their own times have in common."""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable

from ratchet.recipes.recipe import Recipe


def timed(recipe: Recipe, kind: str, cron: str, *, retry_minutes: int, timeout_minutes: int) -> dict[str, Any]:
    """Arguments of a DAG, for the file that makes it: Airflow takes for a DAG's file the one that calls `DAG`."""
    return {
        "dag_id": f"{kind}_{recipe.line}",
        "schedule": CronTriggerTimetable(cron, timezone="UTC"),
        # No start date: with one, Airflow would start a run for the last period as soon as the DAG is there.
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["ratchet", kind, recipe.line],
        "default_args": {
            "owner": recipe.owner,
            "retries": 2,
            "retry_delay": timedelta(minutes=retry_minutes),
            "execution_timeout": timedelta(minutes=timeout_minutes),
        },
    }
