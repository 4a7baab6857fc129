"""What Envoy counts of the requests that it gave to a colour, read from its admin page.

cluster.green.upstream_rq_active: 0
cluster.green_first.upstream_rq_completed: 12     a canary's, which may fall back to the other colour
"""

import re
from collections import Counter
from collections.abc import Collection

from ratchet.clients.http import http_client
from ratchet.clients.settings import Ports
from ratchet.core.errors import TransientError
from ratchet.core.releases import Colour

TIMEOUT_SECONDS = 5.0
FALLBACK = "_first"


class NoEdge(TransientError, ConnectionError):
    """Nobody listens where the edge's admin page should be."""

    code = "EDGE_LAGS"


def edge_counts(ports: Ports, colour: Colour, names: Collection[str]) -> dict[str, int]:
    """Name → number, with and without a fallback together; empty when the page does not say. Raises NoEdge."""
    import httpx

    page = f"http://127.0.0.1:{ports.edge_admin}/stats"
    asked = {"filter": rf"^cluster\.{colour}({FALLBACK})?\.({'|'.join(names)})$"}
    try:
        text = http_client().get(page, params=asked, timeout=TIMEOUT_SECONDS).raise_for_status().text
    except httpx.ConnectError as error:
        raise NoEdge(f"{page}: {error}") from error
    except httpx.HTTPError:
        return {}
    found: Counter[str] = Counter()
    for name, count in re.findall(rf"^cluster\.{colour}(?:{FALLBACK})?\.(\w+): (\d+)$", text, re.MULTILINE):
        found[name] += int(count)
    return dict(found)
