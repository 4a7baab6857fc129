"""The newest look of the DAG drift_<line>: how far what users ask is from what production was trained on."""

from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from ratchet.clients.world import World
from ratchet.core.drift import EMBEDDING
from ratchet.core.drifts import Drift
from ratchet.sight.families import gauge, gauges, seconds


@dataclass(frozen=True)
class DriftFacts:
    """`look` is None before there was one: answers are captured only where somebody asks for it (docs/edge.md)."""

    line: str
    look: Drift | None


def gather(world: World, line: str) -> DriftFacts:
    looks = world.drifts(line).records()
    return DriftFacts(line, looks[-1] if looks else None)


def families(facts: DriftFacts) -> list[Metric]:
    look = facts.look
    moved = {shift.feature: (shift.psi, shift.limit) for shift in look.shifts} if look else {}
    if look:
        moved[EMBEDDING] = (look.embedding.distance, look.embedding.limit)
    return [
        gauges(
            facts.line,
            "ratchet_live_drift",
            "How far users' texts are from what production was trained on: stability index; of embeddings, a distance.",
            ("feature",),
            {(feature,): value for feature, (value, _) in moved.items()},
        ),
        gauges(
            facts.line,
            "ratchet_live_drift_limit",
            "What it has to exceed: the largest of convention, chance and what has been usual.",
            ("feature",),
            {(feature,): limit for feature, (_, limit) in moved.items()},
        ),
        gauge(
            facts.line,
            "ratchet_live_drift_timestamp_seconds",
            "When users' texts were last looked at.",
            seconds(look.at if look else None),
        ),
        gauge(
            facts.line, "ratchet_live_drift_texts", "How many texts that was.", float(look.num_texts) if look else None
        ),
    ]
