"""A KPI's value, asked of a Prometheus."""

import time

from ratchet.clients.prometheus import NotLetIn, Prometheus, PrometheusAway, QueryRefused
from ratchet.core.errors import TerminalError


class NoNumber(TerminalError, ValueError):
    """The query is none, or its answer is more than one number, or the server does not know us."""

    code = "SETTINGS_INVALID"


def kpi_value(server: Prometheus, name: str, query: str) -> float | None:
    """What the query says now; None where nothing is known.

    No error tells what the server says: a query may hold what it is not meant to. Raises PrometheusAway, NoNumber.
    """
    try:
        found = server.at(query, time.time())
    except PrometheusAway as error:
        raise PrometheusAway(f"KPI {name}: {error}") from None
    except NotLetIn:
        raise NoNumber(f"KPI {name}: {server.place} wants a key, or another one (docs/quality.md)") from None
    except QueryRefused:
        raise NoNumber(f"KPI {name}: {server.place} does not take the query; try it there: {query}") from None
    if len(found) > 1:
        raise NoNumber(f"KPI {name}: expected one number, got {len(found)}: sum or average them in the query {query}")
    return found[0].points[-1][1] if found else None
