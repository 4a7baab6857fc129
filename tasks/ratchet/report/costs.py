"""What the run took: time, memory and money of its steps, as their manifests say."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ratchet.core.accounts import overlap_seconds, tasks_done
from ratchet.core.amounts import money
from ratchet.core.costs import Kind, Rates, StepWork, TaskDone, run_cost, task_cost
from ratchet.core.memo import Manifest
from ratchet.report.contract import ReportInputs, RunWork


@dataclass(frozen=True)
class StepCost:
    """`seconds` and `memory_mib` are those of when it was done; None when its manifest is gone.

    `was_found`: an earlier run did it, so it cost nothing now. `money` is None without prices.
    """

    task: str
    seconds: float | None
    memory_mib: float | None
    was_found: bool
    money: float | None


@dataclass(frozen=True)
class RunCosts:
    """`seconds` and `by_kind` (money) of what was done now, `saved_seconds` of what was found.

    Without `rates` there is no money. `work_money` is what all of it costs, also what was found.
    """

    steps: tuple[StepCost, ...]
    seconds: float
    saved_seconds: float
    rates: Rates | None
    by_kind: Mapping[Kind, float]
    work_money: float
    num_bytes: int
    num_samples: int
    num_measured: int
    num_tokens: int

    @property
    def money(self) -> float | None:
        return sum(self.by_kind.values()) if self.rates else None

    def priced(self, amount: float | None) -> str:
        """E.g. "0.50 EUR"; empty without a price."""
        return "" if amount is None or self.rates is None else money(amount, self.rates.currency)

    @property
    def longest(self) -> StepCost | None:
        """Of what was done now."""
        done = [step for step in self.steps if step.seconds is not None and not step.was_found]
        return max(done, key=lambda step: step.seconds or 0.0, default=None)


def run_costs(
    inputs: ReportInputs, work: RunWork, manifests: Sequence[Manifest | None], training_log: bytes
) -> RunCosts:
    """`manifests`: one for each task of `work`; the first is resolve's, which begins the run."""
    done = {task.task: task for task in tasks_done(work.tasks, manifests)}
    overlap = overlap_seconds(manifests)
    steps = tuple(
        _step_cost(task, manifest, done.get(task.task), work.rates)
        for task, manifest in zip(work.tasks, manifests, strict=True)
    )
    as_if_done = [done[step.task].model_copy(update={"seconds": step.seconds}) for step in steps if step.task in done]
    return RunCosts(
        steps=steps,
        seconds=sum(task.seconds for task in done.values()),
        saved_seconds=sum(step.seconds or 0.0 for step in steps if step.was_found),
        rates=work.rates,
        by_kind=run_cost([*done.values()], overlap, work.rates) if work.rates else {},
        work_money=sum(run_cost(as_if_done, overlap, work.rates).values()) if work.rates else 0.0,
        num_bytes=sum(task.new_bytes for task in done.values()),
        num_samples=inputs.measuring.num_samples,
        num_measured=inputs.measuring.num_measured,
        num_tokens=_tokens_trained(training_log),
    )


def _step_cost(task: StepWork, manifest: Manifest | None, done: TaskDone | None, rates: Rates | None) -> StepCost:
    if manifest is None or done is None:
        return StepCost(task.task, None, None, was_found=False, money=None)
    paid = sum(task_cost(done, rates).values()) if rates else None
    return StepCost(task.task, manifest.wall_seconds, manifest.peak_memory_mib, done.was_found, paid)


def _tokens_trained(training_log: bytes) -> int:
    records = (json.loads(line)["metrics"] for line in training_log.splitlines())
    return sum(int(metrics.get("num_tokens", 0)) for metrics in records)
