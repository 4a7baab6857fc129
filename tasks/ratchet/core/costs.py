"""What a release took and what that costs: its steps, the bytes it keeps, two loaded colours, at given prices."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from pydantic import AwareDatetime, NonNegativeFloat, NonNegativeInt

from ratchet.core.contract import Contract, Name, Sha256

Kind = Literal["cpu", "gpu", "storage", "serving"]
KINDS: tuple[Kind, ...] = get_args(Kind)
STORAGE_MONTHS = 1  # what a release adds to the store is charged for its first month
_SECONDS_PER_HOUR = 3600
_GIB = 1 << 30


class StepRate(Contract):
    """Of the machine that a step computes on."""

    kind: Literal["cpu", "gpu"] = "cpu"
    per_hour: NonNegativeFloat


class Rates(Contract):
    """The prices of one recipe on one platform. Without `storage_per_gib_month` or `serving_per_hour` (one engine) that
    kind is not counted, and named as missing.
    """

    currency: str
    steps: dict[Name, StepRate]
    storage_per_gib_month: NonNegativeFloat | None = None
    serving_per_hour: NonNegativeFloat | None = None

    @property
    def missing(self) -> tuple[Kind, ...]:
        priced = {"storage": self.storage_per_gib_month, "serving": self.serving_per_hour}
        return tuple(kind for kind in KINDS if kind in priced and priced[kind] is None)


class StepWork(Contract):
    """One task of a run: `key` names its step's manifest. `acts`: its step is done anew in every run (steps.Step)."""

    task: str
    step: Name
    key: Sha256
    acts: bool = False


class TaskDone(Contract):
    """What one task did. `seconds` and `new_bytes`, which it added to the store, are 0 where an earlier run did it."""

    task: str
    step: Name
    acts: bool = False
    was_found: bool = False
    seconds: NonNegativeFloat = 0.0
    new_bytes: NonNegativeInt = 0


class Forecast(Contract):
    """What a release will take, as the last `num_releases` say; with none of them nothing is foreseen."""

    num_releases: NonNegativeInt = 0
    tasks: tuple[TaskDone, ...] = ()
    overlap_seconds: NonNegativeFloat = 0.0

    @property
    def seconds(self) -> float:
        """Of all its steps."""
        return sum(task.seconds for task in self.tasks)


class CostRecord(Contract):
    """What one run did, whatever became of it. `seq` is set by the journal that keeps it, `at` is when it began.

    For `overlap_seconds` two colours were loaded: since `stage` began, while people decided, through canary and bake.
    `rates` are the prices of then, None where ratchet.toml set none. `over_budget`: why it ran in spite of the budget.
    """

    schema_version: Literal[1] = 1
    line: Name
    seq: NonNegativeInt = 0
    release_id: str
    run_id: str
    at: AwareDatetime
    num_rows: NonNegativeInt
    tasks: tuple[TaskDone, ...]
    overlap_seconds: NonNegativeFloat
    rates: Rates | None
    forecast: Forecast = Forecast()
    over_budget: str = ""


def task_cost(task: TaskDone, rates: Rates) -> dict[Kind, float]:
    """By kind, in `rates.currency`."""
    rate = rates.steps[task.step]
    cost: dict[Kind, float] = {rate.kind: task.seconds / _SECONDS_PER_HOUR * rate.per_hour}
    if rates.storage_per_gib_month is not None:
        cost["storage"] = task.new_bytes / _GIB * STORAGE_MONTHS * rates.storage_per_gib_month
    return cost


def run_cost(tasks: Sequence[TaskDone], overlap_seconds: float, rates: Rates) -> dict[Kind, float]:
    """By kind, in `rates.currency`; a kind without a price is left out."""
    parts = [task_cost(task, rates) for task in tasks]
    if rates.serving_per_hour is not None:
        # One engine serves the users whatever happens: the second one is the release's.
        parts.append({"serving": overlap_seconds / _SECONDS_PER_HOUR * rates.serving_per_hour})
    return _added(parts)


def release_cost(records: Sequence[CostRecord], release_id: str) -> dict[Kind, float]:
    """By kind, over all runs of a release, each at the prices of its time. Empty where there were none."""
    runs = [run for run in newest_of_each_run(records) if run.release_id == release_id]
    return _added([run_cost(run.tasks, run.overlap_seconds, run.rates) for run in runs if run.rates])


def newest_of_each_run(records: Sequence[CostRecord]) -> list[CostRecord]:
    """A run whose tasks were cleared and done again tells its cost again.

    If that began with resolve, it is another run here: what the first one did is found by it, and takes nothing.
    """
    return list({(record.run_id, record.at): record for record in records}.values())


def _added(parts: Sequence[Mapping[Kind, float]]) -> dict[Kind, float]:
    present = [kind for kind in KINDS if any(kind in part for part in parts)]
    return {kind: sum(part.get(kind, 0.0) for part in parts) for kind in present}
