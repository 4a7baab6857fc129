"""The weekly drill of this platform's line: a roll-back is rehearsed on the colour without users, and recorded.

Everything that `ratchet rollback` needs is used, and no user is moved. Skipped while there is nothing to go back to, or
while a release's candidate is on that colour. Red means that a roll-back would not work now: docs/runbooks/drill.md.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from ratchet.clients.settings import load
from ratchet.orchestration.endings import TOLD_WHEN_IT_FAILS
from ratchet.orchestration.operator import step_task
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

SETTINGS = load()


def drill(recipe: Recipe) -> DAG:
    with DAG(
        dag_id=f"drill_{recipe.line}",
        description=f"Rehearses a roll-back of {recipe.line}.",
        doc_md=__doc__,
        schedule=CronTriggerTimetable(recipe.drill_schedule, timezone="UTC"),
        # No start date: with one, Airflow would start a run for the last week as soon as the DAG is there.
        catchup=False,
        max_active_runs=1,
        tags=["ratchet", "drill", recipe.line],
        **TOLD_WHEN_IT_FAILS,
        default_args={
            "owner": recipe.owner,
            "retries": 2,
            "retry_delay": timedelta(minutes=2),
            "execution_timeout": timedelta(minutes=30),
        },
    ) as dag:
        step_task(
            recipe,
            step="drill",
            inputs={
                "line": recipe.line,
                "task": recipe.split_task.name,
                "num_golden_prompts": recipe.stage.num_golden_prompts,
                "max_answer_tokens": recipe.stage.max_answer_tokens,
                "min_golden_agreement": recipe.stage.min_golden_agreement,
            },
        )
    return dag


globals()[f"drill_{SETTINGS.recipe}"] = drill(load_recipe(SETTINGS.recipe, SETTINGS.root))
