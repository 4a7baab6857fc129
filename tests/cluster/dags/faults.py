"""Single steps on the cluster, as Airflow tasks of their own: what the fault tests kill, starve and cut off."""

from datetime import timedelta

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

from ratchet.clients.settings import load
from ratchet.orchestration.operator import step_task
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.resources import PodResources
from ratchet.steps import STEPS

RECIPE = load_recipe("support", load().root)
CASES = {
    "fault_validate": ("validate", PodResources()),
    "fault_finetune": ("finetune", PodResources(num_threads=2, memory_gib=3, scratch_gib=8, grace_seconds=30)),
    "fault_out_of_memory": ("finetune", PodResources(memory_gib=0.4)),
    "fault_no_node": ("validate", PodResources(gpus=8, node_selector={"gpu": "h100"})),
}


def given(params: dict, **_: object) -> dict:
    return dict(params["inputs"])


def case(name: str, step: str, resources: PodResources) -> DAG:
    recipe = RECIPE.model_copy(update={"pods": {step: resources}})
    fields = STEPS[step].inputs.model_fields
    with DAG(
        name,
        params={"inputs": {}},
        catchup=False,
        default_args={"retries": 3, "retry_delay": timedelta(seconds=5), "execution_timeout": timedelta(hours=1)},
    ) as dag:
        inputs = PythonOperator(task_id="given", python_callable=given, multiple_outputs=True)
        step_task(recipe, step=step, task_id="step", inputs={field: inputs.output[field] for field in fields})
    return dag


for name, (step, resources) in CASES.items():
    globals()[name] = case(name, step, resources)
