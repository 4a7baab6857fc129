"""Does what serves agree with the ledger? What `ratchet verify` asks, but for reading the served files, and of the
ledger what the store does not list as written since it was read. The DAG monitor_<line> reads both at each look.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from ratchet.clients.settings import Settings
from ratchet.clients.verification import gather as ask_all
from ratchet.clients.world import World
from ratchet.core.verification import Row, verify
from ratchet.sight.families import gauges


@dataclass(frozen=True)
class ProductionFacts:
    line: str
    rows: Sequence[Row]


def gather(world: World, settings: Settings, line: str) -> ProductionFacts:
    return ProductionFacts(line, verify(ask_all(world, line, settings.users_url, anew=False)))


def families(facts: ProductionFacts) -> list[Metric]:
    asked = [row for row in facts.rows if row.what != "served files"]  # the DAG monitor_<line> reads those
    return [
        gauges(
            facts.line,
            "ratchet_in_order",
            "Is this part as the ledger says? Not told of a part that nobody could ask.",
            ("part",),
            {(row.what,): float(row.standing == "ok") for row in asked if row.standing != "cannot tell"},
        ),
        gauges(
            facts.line,
            "ratchet_cannot_tell",
            "Could nobody be asked whether this part is in order?",
            ("part",),
            {(row.what,): float(row.standing == "cannot tell") for row in asked},
        ),
    ]
