"""Policy over every DAG, and the shape of the release chain and of the drill."""

import runpy
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ratchet.clients.settings import Prices
from ratchet.core.budget import Budget
from ratchet.core.checks import PreferenceCheck
from ratchet.core.contract import Contract, digest_json
from ratchet.core.serving import ServingSettings
from ratchet.orchestration.endings import is_of
from ratchet.recipes.catalogue import load_recipe
from ratchet.steps import STEPS

ROOT = Path(__file__).parent.parent.parent
CHAIN = [
    *("resolve", "validate", "prepare", "finetune", "evaluate_candidate", "gate", "good_enough", "convert", "stage"),
    *("report", "worth_asking", "approve", "promote", "has_users", "bake", "unload", "cost"),
]


@pytest.mark.parametrize("path", sorted((ROOT / "dags").glob("*.py")), ids=lambda path: path.name)
def test_a_dag_file_parses_without_a_single_warning(path: Path, airflow_home: Path) -> None:
    # Airflow's own providers warn about themselves while they are imported; what is ours must not.
    prelude = "import airflow.sdk, airflow.providers.standard.operators.hitl, runpy, warnings"
    script = f"{prelude}; warnings.simplefilter('error'); runpy.run_path({str(path)!r})"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode == 0, done.stderr


def test_there_is_one_release_dag_that_of_the_platforms_recipe(dags: dict) -> None:
    assert {dag_id for dag_id in dags if dag_id.startswith("release_")} == {"release_support"}


def test_every_dag_says_whose_it_is_and_what_it_does(dags: dict) -> None:
    for dag in dags.values():
        assert dag.doc_md, dag.dag_id
        assert dag.tags, dag.dag_id
        assert not dag.catchup, dag.dag_id
        for task in dag.tasks:
            assert task.owner != "airflow", task.task_id


def test_a_failed_run_is_told_but_that_of_the_monitor_whose_alert_wakes_somebody(dags: dict) -> None:
    told = {dag_id for dag_id, dag in dags.items() if isinstance(dag.on_failure_callback, list)}

    assert set(dags) - told == {"monitor_support"}
    assert all(dag.on_success_callback for dag in dags.values())


def test_a_task_is_named_after_its_step_by_which_its_failure_is_found(dags: dict) -> None:
    tasks = [task for dag in dags.values() for task in dag.tasks if hasattr(task, "step")]

    assert len(tasks) > 10
    assert all(is_of(task.task_id, task.step) for task in tasks)


def test_a_dag_that_is_new_waits_for_its_next_time(dags: dict) -> None:
    # With a start date Airflow makes up for the last period at once, and a release that nobody asked for begins.
    assert all(dag.start_date is None for dag in dags.values())


def test_every_step_has_retries_and_a_time_limit(dags: dict) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            if hasattr(task, "step"):
                assert task.retries >= 1, task.task_id
                assert timedelta(0) < task.execution_timeout <= timedelta(hours=12), task.task_id


def test_a_release_is_the_chain_of_the_design(dags: dict) -> None:
    tasks = dags["release_support"].task_dict

    for before, after in pairwise(CHAIN):
        assert after in {t.task_id for t in tasks[before].get_flat_relatives(upstream=False)}, f"{before} -> {after}"
    assert "gate" in tasks["evaluate_baseline"].downstream_task_ids


def test_a_gate_that_asks_no_rater_looks_for_no_ratings(dags: dict) -> None:
    release = dags["release_support"]

    assert "ratings" not in release.task_dict
    assert "ratings" not in release.task_dict["gate"].inputs


def test_ratings_are_looked_for_right_before_a_gate_that_asks_raters(airflow_home: Path) -> None:
    recipe = load_recipe("support", ROOT)
    liked = PreferenceCheck(name="people like it", task="intent", rater="people")
    gate = recipe.gate.model_copy(update={"preferences": (liked,)})
    build = runpy.run_path(str(ROOT / "dags" / "release.py"))["release"]

    tasks = build(recipe.model_copy(update={"gate": gate})).task_dict

    assert tasks["ratings"].downstream_task_ids == {"gate"}
    assert tasks["ratings"].upstream_task_ids == {"resolve", "finetune", "evaluate_candidate"}
    assert tasks["gate"].inputs["ratings"].operator.task_id == "ratings"


def test_a_recipe_of_the_adapter_lane_stages_and_proposes_adapter_and_base(airflow_home: Path) -> None:
    recipe = load_recipe("support", ROOT)
    build = runpy.run_path(str(ROOT / "dags" / "release.py"))["release"]

    merged = build(recipe).task_dict
    tasks = build(recipe.model_copy(update={"serving": ServingSettings(lane="adapter")})).task_dict

    assert merged["stage"].inputs["parts"] is merged["promote"].inputs["proposal"]["parts"] is None
    assert (plain(merged["report"].inputs["lane"]), plain(tasks["report"].inputs["lane"])) == ("merged", "adapter")
    for parts in (tasks["stage"].inputs["parts"], tasks["promote"].inputs["proposal"]["parts"]):
        assert {name: (part.operator.task_id, part.key) for name, part in parts.items()} == {
            "adapter": ("finetune", "adapter"),
            "base": ("resolve", "base"),
        }


def test_both_models_are_asked_for_the_canaries_that_prepare_planted(dags: dict) -> None:
    release = dags["release_support"].task_dict

    for side in ("evaluate_baseline", "evaluate_candidate"):
        asked = [task["data"] for task in release[side].inputs["tasks"] if task["planted"]]
        assert [(data.operator.task_id, data.key) for data in asked] == [("prepare", "canaries")] * 2


def test_unloading_the_preview_is_a_teardown_of_staging(dags: dict) -> None:
    unload = dags["release_support"].task_dict["unload"]

    assert unload.is_teardown
    assert "stage" in unload.upstream_task_ids


def test_what_a_run_cost_is_kept_last_and_whatever_became_of_it(dags: dict) -> None:
    release = dags["release_support"]
    cost = release.task_dict["cost"]

    assert cost.is_teardown
    assert not cost.on_failure_fail_dagrun
    assert cost.upstream_task_ids == {"unload"}  # no setup of its own: clearing a task would clear that too
    assert cost.steps.keys() == {task.task_id for task in release.tasks if hasattr(task, "step")}
    assert next(iter(cost.steps)) == "resolve"


@pytest.mark.parametrize("prices", [None, Prices(currency="EUR", cpu_per_hour=1.0)])
def test_the_budget_is_held_by_the_first_step_if_there_are_prices(airflow_home: Path, prices: Prices | None) -> None:
    dag = runpy.run_path(str(ROOT / "dags" / "release.py"))
    build, settings = dag["release"], dag["SETTINGS"]
    build.__globals__["SETTINGS"] = settings.model_copy(update={"costs": prices})
    recipe = load_recipe("support", ROOT).model_copy(update={"budget": Budget(per_release=2.5)})

    inputs = build(recipe).task_dict["resolve"].inputs

    assert plain(inputs["budget"]) == (prices and {"per_release": 2.5, "per_month": None})
    assert bool(inputs["rates"]) == bool(prices)
    assert inputs["over_budget"].resolve({"dag_run": SimpleNamespace(conf={"over_budget": "{{ x }}"})}) == "{{ x }}"


def test_each_step_is_given_exactly_the_fields_of_its_contract(dags: dict) -> None:
    steps = [task for dag in dags.values() for task in dag.tasks if hasattr(task, "step")]
    for task in steps:
        contract: type[Contract] = STEPS[task.step].inputs
        required = {name for name, field in contract.model_fields.items() if field.is_required()}
        assert required <= set(task.inputs) <= set(contract.model_fields), f"{task.dag_id}.{task.task_id}"


def test_the_way_back_is_rehearsed_every_week_at_the_time_that_the_recipe_says(dags: dict) -> None:
    recipe = load_recipe("support", ROOT)
    drill = dags["drill_support"]

    assert [task.step for task in drill.tasks] == ["drill"]
    assert drill.timetable.expression == recipe.drill_schedule == "0 5 * * 3"
    assert recipe.drill_schedule != recipe.schedule


def test_production_is_looked_at_apart_from_the_reminders(dags: dict) -> None:
    monitor = dags["monitor_support"].task_dict["monitor"]

    assert monitor.step == "monitor"
    assert not monitor.upstream_task_ids | monitor.downstream_task_ids


def test_whoever_is_waited_for_is_looked_after_while_the_release_waits(dags: dict) -> None:
    recipe = load_recipe("support", ROOT)
    remind = dags["monitor_support"].task_dict["remind"]

    assert dags["monitor_support"].timetable.expression == recipe.monitor_schedule == "*/15 * * * *"
    dag_id, task_id = remind.approval
    approve = dags[dag_id].task_dict[task_id]
    hours = (remind.reminder_hours, remind.escalation_hours, approve.timeout_hours)
    assert hours == (24, 48, 72)


def test_a_release_begins_every_week_or_when_the_intake_made_a_version(dags: dict) -> None:
    release, (made,) = dags["release_support"], dags["intake_support"].task_dict["add"].outlets

    assert release.timetable.timetable.expression == load_recipe("support", ROOT).schedule
    assert [asset.uri for asset in release.timetable.asset_condition.objects] == [made.uri]
    assert made.uri == "ratchet://datasets/support"


def test_a_recipe_may_keep_its_releases_to_the_week(airflow_home: Path) -> None:
    recipe = load_recipe("support", ROOT).model_copy(update={"release_on_data": False})
    build = runpy.run_path(str(ROOT / "dags" / "release.py"))["release"]

    assert build(recipe).timetable.expression == recipe.schedule


def test_an_upload_is_taken_validated_and_added_and_its_file_is_settled_whatever_came_of_it(dags: dict) -> None:
    tasks = dags["intake_support"].task_dict

    assert tasks["take"].downstream_task_ids == {"validate", "base", "drift", "add", "settle"}
    assert tasks["validate"].step == "validate"
    assert "add" in tasks["validate"].downstream_task_ids
    assert tasks["settle"].is_teardown
    assert "add" in tasks["settle"].upstream_task_ids


def test_an_upload_is_compared_before_it_is_added_and_added_whatever_came_of_that(dags: dict) -> None:
    tasks = dags["intake_support"].task_dict

    assert tasks["drift"].upstream_task_ids == {"take", "validate", "base"}
    assert {"take", "validate", "compared"} <= tasks["add"].upstream_task_ids
    assert tasks["add"].trigger_rule == "all_success"
    assert tasks["compared"].upstream_task_ids == {"drift"}
    assert tasks["compared"].trigger_rule == "all_done"


def test_what_users_ask_is_looked_at_every_day_compared_and_told(dags: dict) -> None:
    recipe = load_recipe("support", ROOT)
    drift = dags["drift_support"]

    assert drift.timetable.expression == recipe.drift_schedule == "0 4 * * *"
    assert drift.task_dict["drift"].upstream_task_ids == {"look"}
    assert drift.task_dict["tell"].upstream_task_ids == {"look", "drift"}


def test_what_production_answers_is_judged_every_day_told_and_may_ask_for_a_release(dags: dict) -> None:
    quality = dags["quality_support"]
    drifted = dags["drift_support"].task_dict["tell"].outlets

    assert quality.timetable.expression == load_recipe("support", ROOT).quality_schedule == "30 4 * * *"
    assert quality.task_dict["quality"].downstream_task_ids == {"tell", "ask_for_release"}
    assert quality.task_dict["ask_for_release"].outlets == drifted


@pytest.mark.parametrize(
    ("on_data", "on_drift", "waited_for"),
    [(True, True, ["datasets", "drifts"]), (False, True, ["drifts"]), (True, False, ["datasets"])],
)
def test_a_release_begins_on_new_data_on_drift_or_on_either_as_the_recipe_says(
    dags: dict, on_data: bool, on_drift: bool, waited_for: list[str]
) -> None:
    wish = {"release_on_data": on_data, "release_on_drift": on_drift}
    recipe = load_recipe("support", ROOT).model_copy(update=wish)
    build = runpy.run_path(str(ROOT / "dags" / "release.py"))["release"]
    (told,) = dags["drift_support"].task_dict["tell"].outlets

    condition = build(recipe).timetable.asset_condition

    assert type(condition).__name__ == "AssetAny"
    assert [asset.uri for asset in condition.objects] == [f"ratchet://{kind}/support" for kind in waited_for]
    assert told.uri == "ratchet://drifts/support"


def test_a_recipe_without_drift_compares_no_upload(airflow_home: Path) -> None:
    recipe = load_recipe("support", ROOT).model_copy(update={"drift": None})
    build = runpy.run_path(str(ROOT / "dags" / "intake.py"))["intake"]

    assert build(recipe).task_dict.keys() == {"take", "validate", "add", "settle"}


def test_a_recipe_is_the_same_bytes_each_time_it_is_read() -> None:
    assert load_recipe("support", ROOT).sha256 == load_recipe("support", ROOT).sha256


def test_the_report_gets_the_recipe_by_value_and_the_work_of_every_step_before_it(dags: dict) -> None:
    inputs = plain(dags["release_support"].task_dict["report"].inputs)

    assert digest_json(inputs["origin"]["recipe"]) == inputs["recipe_sha256"]
    before = [*CHAIN[: CHAIN.index("report")], "evaluate_baseline"]
    assert {work["task"] for work in inputs["work"]["tasks"]} == set(before) - {"good_enough"}


def plain(value: Any) -> Any:
    """What a step's inputs are once Airflow has rendered them, but for the outputs of other tasks."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return getattr(value, "value", value)
