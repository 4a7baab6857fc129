"""What Envoy counts of users' requests to a colour: what they were answered, as they were answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from ratchet.clients.edge_counts import NoEdge, edge_counts
from ratchet.clients.engine import COLOURS
from ratchet.clients.settings import Ports
from ratchet.clients.world import World
from ratchet.sight.engines import LABELS

# Envoy's counter to the code by which it is told. A cut answer began as a good one, and ended in the middle.
CODES = {
    "upstream_rq_2xx": "2xx",
    "upstream_rq_4xx": "4xx",
    "upstream_rq_5xx": "5xx",
    "upstream_rq_rx_reset": "cut",
}


@dataclass(frozen=True)
class Counted:
    """So many requests since that edge was started. `pod`: which of several edges counts; empty for the only one."""

    colour: str
    release: str
    code: str
    number: int
    pod: str = ""


@dataclass(frozen=True)
class EdgeFacts:
    line: str
    counts: Sequence[Counted]


def gather(world: World, line: str, ports: Ports) -> EdgeFacts:
    """A shadow's answers are dropped, so its failures are nobody's. Raises NoEdge."""
    counts: list[Counted] = []
    state = world.router.read()
    for colour in COLOURS:
        if state and state.shadow == colour:
            continue
        found = edge_counts(ports, colour, ("upstream_rq_completed", *CODES))
        if "upstream_rq_completed" not in found:
            raise NoEdge(f"the edge's admin page does not count requests to {colour}")
        if told := world.engine.loaded(colour):
            counts += [Counted(colour, told.release_id, code, found.get(name, 0)) for name, code in CODES.items()]
    return EdgeFacts(line, counts)


def families(facts: EdgeFacts) -> list[Metric]:
    """Each pod's counts are its own: a sum of theirs falls whenever one is replaced, which looks like a restart."""
    requests = CounterMetricFamily(
        "llm_requests",
        "Users' requests by what they were answered: 2xx, 4xx, 5xx, or cut while they were answered.",
        labels=(*LABELS, "code", "pod"),  # to Prometheus an empty label is none
    )
    for one in facts.counts:
        requests.add_metric((facts.line, one.colour, one.release, one.code, one.pod), one.number)
    return [requests]
