"""The weekly drill of this platform's line: a roll-back is rehearsed on the colour without users, and recorded.

Everything that `ratchet rollback` needs is used, and no user is moved. Skipped while there is nothing to go back to, or
while a release's candidate is on that colour. Red means that a roll-back would not work now: docs/runbooks/drill.md.
"""

from airflow.sdk import DAG

from ratchet.clients.settings import load
from ratchet.orchestration.endings import TOLD_WHEN_IT_FAILS
from ratchet.orchestration.heads import timed
from ratchet.orchestration.operator import step_task
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

SETTINGS = load()


def drill(recipe: Recipe) -> DAG:
    with DAG(
        **timed(recipe, "drill", recipe.drill_schedule, retry_minutes=2, timeout_minutes=30),
        description=f"Rehearses a roll-back of {recipe.line}.",
        doc_md=__doc__,
        **TOLD_WHEN_IT_FAILS,
    ) as dag:
        step_task(recipe, step="drill", inputs=recipe.asking_again())
    return dag


globals()[f"drill_{SETTINGS.recipe}"] = drill(load_recipe(SETTINGS.recipe, SETTINGS.root))
