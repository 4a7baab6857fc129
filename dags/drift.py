"""The daily look at what users of this platform's line ask, against what production was trained on. It moves nothing.

Skipped, and green, while fewer than 100 of their texts are kept (`[edge] capture_share`, docs/edge.md), and `tell` is
while nothing drifted. Drift is recorded and told (docs/runbooks/drift.md); with `release_on_drift` a release begins.
"""

from airflow.sdk import DAG

from ratchet.clients.settings import load
from ratchet.orchestration.drift import LookAtUsers, TellDrift
from ratchet.orchestration.endings import TOLD_WHEN_IT_FAILS
from ratchet.orchestration.heads import timed
from ratchet.orchestration.operator import step_task
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

SETTINGS = load()


def drift(recipe: Recipe) -> DAG:
    with DAG(
        **timed(recipe, "drift", recipe.drift_schedule, retry_minutes=2, timeout_minutes=30),
        description=f"Compares what users ask of {recipe.line} with what it was trained on.",
        doc_md=__doc__,
        **TOLD_WHEN_IT_FAILS,
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
