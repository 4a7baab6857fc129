"""The journal of drills: when a roll-back was last rehearsed, and how long it took."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from ratchet.clients.world import World
from ratchet.core.drills import Drill
from ratchet.core.releases import LedgerEvent
from ratchet.sight.families import gauge, seconds


@dataclass(frozen=True)
class DrillFacts:
    """`period_seconds`: how often a drill is due."""

    line: str
    drills: Sequence[Drill]
    events: Sequence[LedgerEvent]
    period_seconds: float


def gather(world: World, line: str, period_seconds: float) -> DrillFacts:
    return DrillFacts(line, world.drills(line).records(), world.ledger(line).events(), period_seconds)


def families(facts: DrillFacts) -> list[Metric]:
    line, last = facts.line, facts.drills[-1] if facts.drills else None
    promoted = next((event.at for event in facts.events if event.kind == "promoted"), None)
    return [
        gauge(
            line,
            "ratchet_drill_due_since_timestamp_seconds",
            "The last drill that worked; before the first, when there first was something to go back to.",
            seconds(last.at if last else promoted),
        ),
        gauge(line, "ratchet_drill_period_seconds", "How often a drill is due.", facts.period_seconds),
        gauge(
            line,
            "ratchet_drill_ready_seconds",
            "Of the last drill: until the model to go back to answered.",
            last.ready_seconds if last else None,
        ),
        gauge(
            line,
            "ratchet_drill_switch_seconds",
            "Of the last drill: how long the router took to write its state.",
            last.switch_seconds if last else None,
        ),
    ]
