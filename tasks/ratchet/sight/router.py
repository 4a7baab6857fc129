"""The router: which colour has the users, and whether a candidate is being tried."""

from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from ratchet.clients.world import World
from ratchet.core.rollout import RouterState
from ratchet.sight.families import gauge, gauges


@dataclass(frozen=True)
class RouterFacts:
    line: str
    state: RouterState | None


def gather(world: World, line: str) -> RouterFacts:
    return RouterFacts(line, world.router.read())


def families(facts: RouterFacts) -> list[Metric]:
    state = facts.state
    if state is None:
        return []
    canary = state.canary
    return [
        gauges(
            facts.line,
            "ratchet_traffic_ratio",
            "Share of users' requests that a colour is given, 0 to 1.",
            ("colour", "release"),
            {
                (colour, release): state.weights.get(colour, 0) / 100
                for colour, release in sorted(state.releases.items())
            },
        ),
        gauge(facts.line, "ratchet_canary_active", "Is a candidate tried with users' requests?", float(bool(canary))),
        gauge(
            facts.line,
            "ratchet_canary_traffic_ratio",
            "The candidate's share while it is tried; 0 copies requests to it.",
            state.weights.get(canary, 0) / 100 if canary else None,
        ),
        gauge(
            facts.line,
            "ratchet_way_back_loaded",
            "Is there a colour to which a roll-back leads at once?",
            float(state.previous is not None),
        ),
    ]
