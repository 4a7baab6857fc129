"""The daily look at what users of this platform's line ask, against what production was trained on. It moves nothing.

Skipped, and green, while fewer than 100 of their texts are kept (`[edge] capture_share`, docs/edge.md), and `tell` is
while nothing drifted. Drift is recorded and told (docs/runbooks/drift.md); with `release_on_drift` a release begins.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from ratchet.clients.settings import load
from ratchet.orchestration.drift import LookAtUsers, TellDrift
from ratchet.orchestration.endings import TOLD_WHEN_IT_FAILS
from ratchet.orchestration.operator import step_task
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

SETTINGS = load()


def drift(recipe: Recipe) -> DAG:
    with DAG(
        dag_id=f"drift_{recipe.line}",
        description=f"Compares what users ask of {recipe.line} with what it was trained on.",
        doc_md=__doc__,
        schedule=CronTriggerTimetable(recipe.drift_schedule, timezone="UTC"),
        # No start date: with one, Airflow would start a run for the last day as soon as the DAG is there.
        catchup=False,
        max_active_runs=1,
        tags=["ratchet", "drift", recipe.line],
        **TOLD_WHEN_IT_FAILS,
        default_args={
            "owner": recipe.owner,
            "retries": 2,
            "retry_delay": timedelta(minutes=2),
            "execution_timeout": timedelta(minutes=30),
        },
    ) as dag:
        look = LookAtUsers(task_id="look", line=recipe.line, dataset=recipe.dataset, base=recipe.base)
        seen = look.output
        compare = step_task(
            recipe, step="drift", inputs=recipe.drifting(*(seen[n] for n in ("reference", "current", "base", "usual")))
        )
        found = {name: compare.output[name] for name in ("shifts", "embedding")}
        TellDrift(task_id="tell", line=recipe.line, looked=seen, found=found)
    return dag


RECIPE = load_recipe(SETTINGS.recipe, SETTINGS.root)
if RECIPE.drift:
    globals()[f"drift_{SETTINGS.recipe}"] = drift(RECIPE)
