"""What the run took: time, memory and money of its steps, as their manifests say."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.core.memo import Manifest
from ratchet.report.contract import ReportInputs, RunWork, StepWork

_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class StepCost:
    """`seconds` and `memory_mib` are those of when it was done; None when its manifest is gone.

    `was_found`: an earlier run did it, so it cost nothing now. `money` is None where the step has no price.
    """

    task: str
    seconds: float | None
    memory_mib: float | None
    was_found: bool
    money: float | None


@dataclass(frozen=True)
class RunCosts:
    """`seconds` and `money` of what was done now, `saved_seconds` of what was found. Money is None without prices."""

    steps: tuple[StepCost, ...]
    seconds: float
    saved_seconds: float
    money: float | None
    currency: str
    num_samples: int
    num_measured: int
    num_tokens: int

    def priced(self, money: float | None) -> str:
        """E.g. "0.50 EUR"; empty without a price."""
        if money is None:
            return ""
        return f"< 0.01 {self.currency}" if 0 < money < 0.005 else f"{money:,.2f} {self.currency}"

    @property
    def longest(self) -> StepCost | None:
        """Of what was done now."""
        done = [step for step in self.steps if step.seconds is not None and not step.was_found]
        return max(done, key=lambda step: step.seconds or 0.0, default=None)


def run_costs(
    inputs: ReportInputs, work: RunWork, manifests: Sequence[Manifest | None], training_log: bytes
) -> RunCosts:
    """`manifests`: one for each task of `work`; the first is resolve's, which begins the run."""
    began = manifests[0]
    steps = tuple(
        _step_cost(task, manifest, was_found=bool(began and manifest and manifest.started_at < began.started_at))
        for task, manifest in zip(work.tasks, manifests, strict=True)
    )
    prices = [step.money for step in steps if step.money is not None]
    return RunCosts(
        steps=steps,
        seconds=sum(step.seconds or 0.0 for step in steps if not step.was_found),
        saved_seconds=sum(step.seconds or 0.0 for step in steps if step.was_found),
        money=sum(prices) if prices else None,
        currency=work.currency,
        num_samples=inputs.measuring.num_samples,
        num_measured=inputs.measuring.num_measured,
        num_tokens=_tokens_trained(training_log),
    )


def duration(seconds: float) -> str:
    """E.g. "0.4 s", "12 s", "12 min", "2 h 05 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def _step_cost(task: StepWork, manifest: Manifest | None, was_found: bool) -> StepCost:
    if manifest is None:
        return StepCost(task.task, None, None, was_found=False, money=None)
    seconds, price = manifest.wall_seconds, task.price_per_hour
    paid = 0.0 if was_found else seconds / _SECONDS_PER_HOUR
    money = None if price is None else paid * price
    return StepCost(task.task, seconds, manifest.peak_memory_mib, was_found, money)


def _tokens_trained(training_log: bytes) -> int:
    records = (json.loads(line)["metrics"] for line in training_log.splitlines())
    return sum(int(metrics.get("num_tokens", 0)) for metrics in records)
