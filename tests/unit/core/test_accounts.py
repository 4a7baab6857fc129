"""What a run did is read from the manifests of its steps: time that was spent now, bytes that are new."""

from datetime import timedelta
from typing import Any

from tests.fakes.costs import JANUARY

from ratchet.core.accounts import overlap_seconds, tasks_done
from ratchet.core.costs import StepWork
from ratchet.core.memo import Manifest


def ref(digit: str, num_bytes: int) -> dict[str, Any]:
    return {"uri": f"store://{digit}", "sha256": digit * 64, "bytes": num_bytes}


def manifest(step: str, began: float, seconds: float, **outputs: Any) -> Manifest:
    """`began`: seconds after the run, or before it."""
    return Manifest(
        step=step,
        key="0" * 64,
        outputs=outputs,
        started_at=JANUARY + timedelta(seconds=began),
        wall_seconds=seconds,
        peak_memory_mib=1,
    )


def work(*steps: str) -> list[StepWork]:
    return [StepWork(task=step, step=step, key="0" * 64) for step in steps]


def test_what_an_earlier_run_did_took_nothing_now() -> None:
    found = [manifest("resolve", 0, 2), manifest("validate", -60, 9, rows=ref("a", 100)), manifest("gate", 5, 3)]

    done = tasks_done(work("resolve", "validate", "gate"), found)

    assert [(task.was_found, task.seconds, task.new_bytes) for task in done] == [
        (False, 2, 0),
        (True, 0, 0),
        (False, 3, 0),
    ]


def test_bytes_are_counted_once_where_they_first_appear_however_deep() -> None:
    model = ref("c", 500)
    found = [
        manifest("resolve", 0, 2, base=ref("a", 10_000), rows=ref("b", 100)),
        manifest("finetune", 5, 3, model=model, kept=ref("b", 100), parts=[{"log": ref("d", 7)}]),
        manifest("stage", 9, 3, model=model),
    ]

    assert [task.new_bytes for task in tasks_done(work("resolve", "finetune", "stage"), found)] == [0, 507, 0]


def test_a_task_that_the_run_did_not_come_to_is_left_out() -> None:
    found = [manifest("resolve", 0, 2), None, manifest("gate", 5, 3)]

    assert [task.task for task in tasks_done(work("resolve", "convert", "gate"), found)] == ["resolve", "gate"]


def test_two_colours_are_loaded_from_the_begin_of_stage_to_the_end_of_the_last_step() -> None:
    waited = [manifest("resolve", 0, 2), manifest("stage", 10, 5), manifest("bake", 3600, 60), None]

    assert overlap_seconds(waited) == 3650
    assert overlap_seconds(waited[:1]) == 0
