"""Runs that never were, as the journal of costs keeps them."""

from datetime import UTC, datetime
from typing import Any

from ratchet.core.costs import CostRecord, Rates, StepRate, TaskDone

JANUARY = datetime(2026, 1, 5, 6, tzinfo=UTC)


def rates(**changes: Any) -> Rates:
    """An hour of a CPU is 1, of a GPU 10; storage and a second engine have no price."""
    steps = {step: StepRate(per_hour=1.0) for step in ("resolve", "validate", "gate", "stage", "bake")}
    return Rates(currency="EUR", steps={**steps, "finetune": StepRate(kind="gpu", per_hour=10.0)}).model_copy(
        update=changes
    )


def done(step: str, seconds: float, **changes: Any) -> TaskDone:
    return TaskDone(task=step, step=step, acts=step in ("resolve", "stage", "bake"), seconds=seconds, **changes)


def run(release_id: str, *tasks: TaskDone, **changes: Any) -> CostRecord:
    """Of 1,000 rows, in January; its id is that of the release unless said otherwise."""
    fields: dict[str, Any] = {
        "line": "support",
        "release_id": release_id,
        "run_id": f"run of {release_id}",
        "at": JANUARY,
        "num_rows": 1000,
        "tasks": tasks,
        "overlap_seconds": 0.0,
        "rates": rates(),
    }
    return CostRecord.model_validate({**fields, **changes})
