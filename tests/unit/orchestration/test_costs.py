"""What a run cost is kept when it has ended, whatever became of it."""

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from tests.fakes.costs import rates
from tests.unit.core.test_accounts import manifest

from ratchet.clients import manifests
from ratchet.clients.world import World
from ratchet.core.costs import CostRecord, Forecast, StepWork
from ratchet.orchestration.costs import OverBudgetReason, RecordCost, work_so_far

STEPS = ("resolve", "finetune", "stage", "bake")
KEYS = {step: str(number) * 64 for number, step in enumerate(STEPS)}
RESOLVED = {"release_id": "support-1", "num_rows": 1000, "forecast": Forecast().model_dump()}


def did(world: World, step: str, began: float, seconds: float, **outputs: Any) -> None:
    found = manifest(step, began, seconds, **outputs)
    manifests.write(world.store, found.model_copy(update={"key": KEYS[step]}))


def end(came_to: tuple[str, ...] = STEPS, conf: dict[str, str] | None = None) -> None:
    """The last task of a run that came to those steps."""
    steps: Any = [SimpleNamespace(task_id=step, step=step) for step in STEPS]
    ti = SimpleNamespace(xcom_pull=lambda task_ids, key: KEYS[task_ids] if task_ids in came_to else None)
    task = RecordCost(task_id="cost", line="support", rates=rates(), steps=steps)
    task.execute({"ti": ti, "run_id": "run-1", "dag_run": SimpleNamespace(conf=conf)})


def the_record(world: World) -> CostRecord:
    (record,) = world.costs("support").records()
    return record


def test_a_whole_run_is_kept_with_what_it_took_and_at_which_prices(world: World) -> None:
    for step, began, outputs in (("resolve", 0, RESOLVED), ("finetune", 5, {}), ("stage", 100, {}), ("bake", 500, {})):
        did(world, step, began, 60, **outputs)

    end(conf={"over_budget": "{{ audit }}"})

    record = the_record(world)
    assert (record.release_id, record.run_id, record.num_rows) == ("support-1", "run-1", 1000)
    assert [(task.task, task.seconds, task.acts) for task in record.tasks] == [
        ("resolve", 60, True),
        ("finetune", 60, False),
        ("stage", 60, True),
        ("bake", 60, True),
    ]
    assert (record.overlap_seconds, record.rates, record.over_budget) == (460, rates(), "{{ audit }}")


def test_a_run_that_ended_at_the_gate_is_kept_too(world: World) -> None:
    did(world, "resolve", 0, 2, **RESOLVED)
    did(world, "finetune", 5, 60)

    end(came_to=("resolve", "finetune"))

    assert [task.task for task in the_record(world).tasks] == ["resolve", "finetune"]
    assert (the_record(world).overlap_seconds, the_record(world).over_budget) == (0, "")


def test_a_run_with_nothing_to_do_or_refused_leaves_nothing(world: World) -> None:
    with pytest.raises(AirflowSkipException, match="it cost nothing"):
        end(came_to=())

    assert world.costs("support").records() == []


def test_the_report_gets_each_task_with_its_manifest() -> None:
    task: Any = SimpleNamespace(task_id="evaluate_baseline", step="evaluate", output={"manifest_key": "1" * 64})

    work = work_so_far(rates(), "foreseen", [task])

    assert work["tasks"] == [StepWork(task="evaluate_baseline", step="evaluate", key="1" * 64, acts=False).model_dump()]
    assert (work["rates"], work["forecast"]) == (rates(), "foreseen")


@pytest.mark.parametrize("conf", [None, {}, {"other": "x"}])
def test_a_run_that_nobody_gave_a_reason_has_none(conf: dict | None) -> None:
    assert OverBudgetReason().resolve({"dag_run": SimpleNamespace(conf=conf)}) == ""
