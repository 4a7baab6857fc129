"""What the edge's pods on a cluster count of users' requests (serving/edge/counts.py): each tells its own."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from ratchet.clients.cluster import object_name
from ratchet.clients.edge_counts import NoEdge
from ratchet.clients.engine import COLOURS
from ratchet.clients.http import http_client
from ratchet.clients.world import World
from ratchet.core.releases import Colour
from ratchet.serving.edge.counts import COUNTER, PATH, code_of
from ratchet.sight.edge import CODES, Counted, EdgeFacts

PORT = 8711  # helm/serving
TIMEOUT_SECONDS = 2.0
NOBODY = "none"


def gather(world: World, line: str, port: int = PORT) -> EdgeFacts:
    """Of the releases that a colour holds, and of what no engine answered. Raises NoEdge."""
    edge = pods(world, line)
    if not edge:
        raise NoEdge(f"{object_name(line)}-edge has no pod: is edge.enabled set in helm/serving?")
    held = {colour: told.release_id for colour in COLOURS if (told := world.engine.loaded(colour))}
    pages = {pod["metadata"]["name"]: _page(pod, port) for pod in edge}
    return EdgeFacts(line, [one for pod, page in pages.items() if page is not None for one in counted(pod, page, held)])


def counted(pod: str, page: str, held: Mapping[Colour, str]) -> Iterator[Counted]:
    """`held`: the release of each colour. What was not seen yet is told as 0: the first failure must be a rise.

    Without what the edge itself refused, a wrong key say: it says nothing of the model, and would thin its failures.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    for family in text_string_to_metric_families(page):
        for sample in family.samples if family.name == COUNTER else ():
            said = sample.labels
            seen[said["colour"], said["release"], code_of(said["status"], said["flags"])] += int(sample.value)
    for colour, release in held.items():
        for code in CODES.values():
            yield Counted(colour, release, code, seen[colour, release, code], pod)
    yield Counted(NOBODY, NOBODY, "5xx", seen["", "", "5xx"], pod)


def pods(world: World, line: str) -> list[dict[str, Any]]:
    """Those that have been started, also one that is ending its last requests."""
    labels = f"app.kubernetes.io/instance={object_name(line)},app.kubernetes.io/component=edge"
    return [pod for pod in world.cluster.find("api/v1", "pods", labels) if pod["status"].get("podIP")]


def _page(pod: dict[str, Any], port: int) -> str | None:
    """None of a pod that cannot be asked and is not meant to be: it has just started, or is about to end."""
    import httpx

    url = f"http://{pod['status']['podIP']}:{port}{PATH}"
    try:
        found = http_client().get(url, params={"filter": r"^ratchet\.requests\."}, timeout=TIMEOUT_SECONDS)
        return found.raise_for_status().text
    except httpx.HTTPError as error:
        if not _is_ready(pod):
            return None
        raise NoEdge(f"{pod['metadata']['name']}, {url}: {error}") from error


def _is_ready(pod: dict[str, Any]) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
