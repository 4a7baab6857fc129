"""An upload of this platform's line becomes a dataset version: one run per file.

Whoever has put a file into the drop folder (or the bucket's prefix `drop/<line>/`) starts a run with
`{"file": "monday.csv"}`; the platform's watcher does so for every file that stands still. The file ends in `accepted/`
or `refused/` beside its receipt. A new version emits an event of the asset `ratchet://datasets/<dataset>`, which a
release may wait for. Red means refused: the receipt says why, and the version before stays current. docs/data.md.
"""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule

from ratchet.clients.settings import load
from ratchet.orchestration.drift import FindBase
from ratchet.orchestration.endings import TOLD_WHEN_IT_FAILS
from ratchet.orchestration.intake import AddVersion, SettleUpload, TakeUpload
from ratchet.orchestration.operator import step_task
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.files import PolicyFiles
from ratchet.recipes.recipe import Recipe

SETTINGS = load()
FILES = PolicyFiles(SETTINGS.root)


def intake(recipe: Recipe) -> DAG:
    with DAG(
        dag_id=f"intake_{recipe.line}",
        description=f"Makes a version of dataset {recipe.dataset} from an upload.",
        doc_md=__doc__,
        schedule=None,
        catchup=False,
        max_active_runs=1,
        tags=["ratchet", "intake", recipe.line],
        **TOLD_WHEN_IT_FAILS,
        params={
            "file": Param(type="string", description="its name in the drop folder"),
            "note": Param("", type="string", maxLength=1000, description="kept with the version"),
            "by": Param("", type="string", maxLength=100, description="who hands it in, if not the user who asks"),
            "replace": Param(False, type="boolean", description="start the dataset anew with this file"),
            "text_column": Param(None, type=["null", "string"], description="if it is not found by name"),
            "label_column": Param(None, type=["null", "string"], description="if it is not found by name"),
        },
        default_args={
            "owner": recipe.owner,
            "retries": 3,
            "retry_delay": timedelta(seconds=10),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(minutes=10),
            "execution_timeout": timedelta(hours=1),
            # An upload takes seconds, and somebody waits: on a laptop it is before a release's next step, not after.
            "priority_weight": 1000,
            "weight_rule": "absolute",
        },
    ) as dag:
        take = TakeUpload(task_id="take", line=recipe.line, dataset=recipe.dataset, base=recipe.base)
        taken = take.output
        inputs = recipe.receiving(
            *(
                taken[name]
                for name in ("upload", "file_name", "previous", "usual_shifts", "text_column", "label_column", "base")
            )
        )
        asked = [FILES.data_path(one.name) for one in recipe.evaluation_sets]
        validate = step_task(recipe, step="validate", inputs=inputs, publishes=asked)
        add = AddVersion(task_id="add", dataset=recipe.dataset, inputs=inputs)
        settle = SettleUpload(task_id="settle", line=recipe.line, inputs=inputs, stamp=taken["stamp"])
        if recipe.drift:
            before = taken["previous"]
            base = FindBase(task_id="base", base=recipe.base, previous=before)
            drifting = recipe.drifting(before, validate.output["accepted"], base.output, taken["usual_shifts"])
            drift = step_task(recipe, step="drift", inputs=drifting, retries=1)
            # Drift is told, and holds up no upload: whether it was found, skipped or failed, the rows are added.
            compared = EmptyOperator(task_id="compared", trigger_rule=TriggerRule.ALL_DONE)
            drift >> compared >> add
        take >> validate >> add >> settle.as_teardown(setups=take)
    return dag


globals()[f"intake_{SETTINGS.recipe}"] = intake(load_recipe(SETTINGS.recipe, SETTINGS.root))
