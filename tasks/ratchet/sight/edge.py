"""What Envoy counts of users' requests to a colour: what they were answered, as they were answered."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from ratchet.clients.edge_counts import NoEdge, edge_counts
from ratchet.clients.engine import COLOURS
from ratchet.clients.settings import Ports
from ratchet.clients.world import World
from ratchet.core.releases import Colour
from ratchet.sight.engines import LABELS

# Envoy's counter to the code by which it is told. A cut answer began as a good one, and ended in the middle.
CODES = {
    "upstream_rq_2xx": "2xx",
    "upstream_rq_4xx": "4xx",
    "upstream_rq_5xx": "5xx",
    "upstream_rq_rx_reset": "cut",
}


@dataclass(frozen=True)
class EdgeFacts:
    """`counts`: by colour and release, Envoy's counters since it was started."""

    line: str
    counts: Mapping[tuple[Colour, str], Mapping[str, int]]


def gather(world: World, line: str, ports: Ports) -> EdgeFacts:
    """A shadow's answers are dropped, so its failures are nobody's. Raises NoEdge."""
    counts = {}
    state = world.router.read()
    for colour in COLOURS:
        if state and state.shadow == colour:
            continue
        found = edge_counts(ports, colour, ("upstream_rq_completed", *CODES))
        if "upstream_rq_completed" not in found:
            raise NoEdge(f"the edge's admin page does not count requests to {colour}")
        if told := world.engine.loaded(colour):
            counts[colour, told.release_id] = found
    return EdgeFacts(line, counts)


def families(facts: EdgeFacts) -> list[Metric]:
    requests = CounterMetricFamily(
        "llm_requests",
        "Users' requests by what they were answered: 2xx, 4xx, 5xx, or cut while they were answered.",
        labels=(*LABELS, "code"),
    )
    for (colour, release), counts in facts.counts.items():
        for name, code in CODES.items():
            requests.add_metric((facts.line, colour, release, code), counts.get(name, 0))
    return [requests]
