"""The journal of costs: what the newest release and this month have cost, and what they may."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.metrics_core import Metric

from ratchet.clients.world import World
from ratchet.core.budget import Budget, spent_in_month
from ratchet.core.costs import CostRecord, release_cost
from ratchet.sight.families import Samples, gauges


@dataclass(frozen=True)
class CostFacts:
    """`currency` is that of ratchet.toml, empty where it sets no prices: then no money is told."""

    line: str
    records: Sequence[CostRecord]
    now: datetime
    currency: str
    budget: Budget | None


def gather(world: World, line: str, now: datetime, currency: str, budget: Budget | None) -> CostFacts:
    return CostFacts(line, world.costs(line).records(), now, currency, budget)


def families(facts: CostFacts) -> list[Metric]:
    """Runs in another currency, of before the prices were changed, are not added up with these."""
    currency, budget = facts.currency, facts.budget
    priced = [run for run in facts.records if run.rates and run.rates.currency == currency]
    newest = release_cost(priced, priced[-1].release_id) if priced else {}

    def of_currency(value: float | None) -> Samples:
        return {(currency,): value} if currency else {}

    return [
        gauges(
            facts.line,
            "ratchet_release_cost",
            "What the newest release whose run has ended cost by kind, over all of its runs.",
            ("kind", "currency"),
            {(kind, currency): cost for kind, cost in newest.items()},
        ),
        gauges(
            facts.line,
            "ratchet_release_budget",
            "What a release may cost: the recipe's budget.",
            ("currency",),
            of_currency(budget.per_release if budget else None),
        ),
        gauges(
            facts.line,
            "ratchet_month_cost",
            "What all runs that began in this month of UTC have cost.",
            ("currency",),
            of_currency(spent_in_month(priced, facts.now)),
        ),
        gauges(
            facts.line,
            "ratchet_month_budget",
            "What they may cost: the recipe's budget.",
            ("currency",),
            of_currency(budget.per_month if budget else None),
        ),
    ]
