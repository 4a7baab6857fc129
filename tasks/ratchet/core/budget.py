"""What a model line may cost: a release that would cost more does not begin; one that has begun is not stopped."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from pydantic import PositiveFloat, model_validator

from ratchet.core.amounts import money
from ratchet.core.contract import Contract
from ratchet.core.costs import CostRecord, Forecast, Rates, newest_of_each_run, run_cost
from ratchet.core.errors import TerminalError
from ratchet.core.forecast import forecast_cost, said

OVER_BUDGET = "over_budget"  # in a run's configuration: why it may cost more


class OverBudget(TerminalError, ValueError):
    """The forecast is above what the recipe allows."""

    code = "OVER_BUDGET"


class Budget(Contract):
    """In the currency of ratchet.toml. `per_month`: all runs of the line in one calendar month of UTC."""

    per_release: PositiveFloat | None = None
    per_month: PositiveFloat | None = None

    @model_validator(mode="after")
    def _it_limits_something(self) -> Self:
        if self.per_release is None and self.per_month is None:
            raise ValueError("a budget needs per_release, per_month or both; leave it out for none")
        return self


def spent_in_month(records: Sequence[CostRecord], now: datetime) -> float:
    """What the runs that began in the month of `now`, a time in UTC, have cost, each at the prices of its time."""
    runs = [run for run in newest_of_each_run(records) if (run.at.year, run.at.month) == (now.year, now.month)]
    return sum(sum(run_cost(run.tasks, run.overlap_seconds, run.rates).values()) for run in runs if run.rates)


def why_over(budget: Budget, foreseen: Forecast, spent: float, rates: Rates) -> str:
    """What does not fit, in one sentence; empty when it fits, or when nothing can be foreseen.

    Args:
        spent: this month, in `rates.currency`.
    """
    if not foreseen.num_releases:
        return ""
    cost, currency = forecast_cost(foreseen, rates), rates.currency
    if budget.per_release is not None and cost > budget.per_release:
        limit = money(budget.per_release, currency)
        return f"the forecast is {said(foreseen, rates)}, and the recipe allows {limit} for a release"
    if budget.per_month is not None and spent + cost > budget.per_month:
        return (
            f"the forecast is {said(foreseen, rates)}, this month has cost {money(spent, currency)}, and the recipe "
            f"allows {money(budget.per_month, currency)} for a month"
        )
    return ""


def hold(why: str, reason: str) -> None:
    """Raises OverBudget, unless a person said why it may cost more."""
    if why and not reason.strip():
        raise OverBudget(
            f"the release was not started: {why}. To start it all the same: `ratchet retrain --over-budget --reason "
            '"…"`; or raise `budget` in the recipe'
        )
