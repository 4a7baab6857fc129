"""The daily look at what production of this platform's line answers: is it still good? It moves nothing.

Harmful texts and injections are counted in what is kept of users' requests (`[edge] capture_share`, docs/edge.md), what
was answered is compared with what turned out to be true (`ratchet labels`), and Prometheus is asked for the recipe's
KPIs. Skipped, and green, while none of it is known; `tell` is while nothing is worse, and `ask_for_release` while no
truth proves that fewer answers are right than the gate measured (docs/quality.md).
"""

from airflow.sdk import DAG

from ratchet.clients.settings import load
from ratchet.orchestration.endings import TOLD_WHEN_IT_FAILS
from ratchet.orchestration.heads import timed
from ratchet.orchestration.operator import step_task
from ratchet.orchestration.quality import AskForRelease, TellQuality
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe

SETTINGS = load()


def quality(recipe: Recipe) -> DAG:
    with DAG(
        **timed(recipe, "quality", recipe.quality_schedule, retry_minutes=2, timeout_minutes=30),
        description=f"Judges what {recipe.line} answers by what became of it.",
        doc_md=__doc__,
        **TOLD_WHEN_IT_FAILS,
    ) as dag:
        look = step_task(
            recipe,
            step="quality",
            inputs={
                "line": recipe.line,
                "task": recipe.split_task.name,
                "toxicity": recipe.rules.toxicity,
                "kpis": recipe.kpis,
            },
        )
        seq = look.output["seq"]
        TellQuality(task_id="tell", line=recipe.line, seq=seq)
        AskForRelease(task_id="ask_for_release", line=recipe.line, seq=seq)
    return dag


globals()[f"quality_{SETTINGS.recipe}"] = quality(load_recipe(SETTINGS.recipe, SETTINGS.root))
