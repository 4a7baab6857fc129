"""What Envoy counts of the requests that it gave to a colour, read from its admin page.

cluster.green.upstream_rq_active: 0
"""

import re
from collections.abc import Collection

from ratchet.clients.http import http_client
from ratchet.clients.settings import Ports
from ratchet.core.errors import TransientError
from ratchet.core.releases import Colour

TIMEOUT_SECONDS = 5.0


class NoEdge(TransientError, ConnectionError):
    """Nobody listens where the edge's admin page should be."""


def edge_counts(ports: Ports, colour: Colour, names: Collection[str]) -> dict[str, int]:
    """Name → number, of those that the page has; empty when it does not answer properly. Raises NoEdge."""
    import httpx

    page = f"http://127.0.0.1:{ports.edge_admin}/stats"
    asked = {"filter": rf"^cluster\.{colour}\.({'|'.join(names)})$"}
    try:
        text = http_client().get(page, params=asked, timeout=TIMEOUT_SECONDS).raise_for_status().text
    except httpx.ConnectError as error:
        raise NoEdge(f"{page}: {error}") from error
    except httpx.HTTPError:
        return {}
    return {name: int(count) for name, count in re.findall(rf"^cluster\.{colour}\.(\w+): (\d+)$", text, re.MULTILINE)}
