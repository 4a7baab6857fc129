"""What the money bought, and how well it was foreseen: the lines that the page adds to times and prices."""

from dataclasses import dataclass

from ratchet.core.amounts import duration
from ratchet.core.checks import CheckResult
from ratchet.core.costs import STORAGE_MONTHS, Kind
from ratchet.core.evaluation import EvalReport
from ratchet.core.forecast import said
from ratchet.report.contract import ReportInputs, RunWork
from ratchet.report.costs import RunCosts

_GIB = 1 << 30
_NAMES: dict[Kind, str] = {"cpu": "CPU", "gpu": "GPU", "storage": "storage", "serving": "second engine"}


@dataclass(frozen=True)
class Line:
    what: str
    text: str


@dataclass(frozen=True)
class Gain:
    """Points that the candidate gained on the recipe's main check; `low` and `high` as its result says."""

    name: str
    points: float
    low: float
    high: float


def spending(inputs: ReportInputs, work: RunWork, costs: RunCosts, candidate: EvalReport) -> tuple[Line, ...]:
    gain = main_gain(inputs, candidate)
    lines = [
        Line("Of this", _by_kind(costs)),
        Line("Forecast", _against(work, costs)),
        Line("Per point gained", cost_per_point(costs, gain) if gain and costs.rates else ""),
        Line("Over budget", f"allowed: {work.over_budget}" if work.over_budget else ""),
    ]
    return tuple(line for line in lines if line.text)


def main_gain(inputs: ReportInputs, candidate: EvalReport) -> Gain | None:
    """Of the first check of the recipe's gate that compares both models on a share; None where there is none."""
    better = {
        (task.name, metric.name): 1 if metric.higher_is_better else -1
        for task in candidate.tasks
        for metric in task.metrics
    }
    found = {check.name: check for check in inputs.gate_checks if check.slice_name is None}
    for asked in inputs.origin.recipe["gate"]["checks"]:
        check, sign = found.get(asked["name"]), better.get((asked.get("task"), asked.get("metric")))
        if check and sign and _compares_shares(check):
            bounds = sorted((100 * sign * (check.low or 0.0), 100 * sign * (check.high or 0.0)))
            return Gain(f"{asked['task']} {asked['metric']}", 100 * sign * (check.effect or 0.0), *bounds)
    return None


def cost_per_point(costs: RunCosts, gain: Gain) -> str:
    """All the work behind the candidate by what it gained, with its bounds; not told when that may be nothing."""
    if gain.low <= 0:
        bounds = f"{gain.low:+.1f} to {gain.high:+.1f} points".replace("-", "−")
        return f"not told: the gain may be 0 ({gain.name}: {bounds})"
    least, point, most = (_fine(costs.work_money / points) for points in (gain.high, gain.points, gain.low))
    currency = costs.rates.currency if costs.rates else ""
    return (
        f"{point} {currency} ({least} to {most}) for each of {gain.points:.1f} points of {gain.name}; found work is "
        "counted"
    )


def _fine(amount: float) -> str:
    """A point may cost less than a cent."""
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.2g}"


def _compares_shares(check: CheckResult) -> bool:
    scores = (check.candidate, check.baseline)
    return check.effect is not None and all(score is not None and 0 <= score <= 1 for score in scores)


def _by_kind(costs: RunCosts) -> str:
    if costs.rates is None:
        return ""
    notes = {"storage": f" ({costs.num_bytes / _GIB:.2g} GiB for {STORAGE_MONTHS} month)"}
    parts = [f"{_NAMES[kind]} {costs.priced(amount)}{notes.get(kind, '')}" for kind, amount in costs.by_kind.items()]
    missing = ", ".join(_NAMES[kind] for kind in costs.rates.missing)
    return ", ".join(parts) + (f"; not counted, since ratchet.toml sets no price: {missing}" if missing else "")


def _against(work: RunWork, costs: RunCosts) -> str:
    """The whole release as foreseen; and those of its steps that are over, as foreseen and as they were."""
    told = said(work.forecast, work.rates)
    took = {step.task: 0.0 if step.was_found else step.seconds for step in costs.steps if step.seconds is not None}
    over = [task for task in work.forecast.tasks if task.task in took]
    foreseen, actual = sum(task.seconds for task in over), sum(took[task.task] for task in over)
    if not foreseen:
        return told
    change = f"{100 * (actual / foreseen - 1):+.0f}%".replace("-", "−")
    return f"{told}; for the steps so far {duration(foreseen)}, they took {duration(actual)} ({change})"
