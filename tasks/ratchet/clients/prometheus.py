"""Asks a Prometheus for one number.

GET http://host/api/v1/query?query=avg(tickets_reopened_ratio)
200 {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1767582000, "0.04"]}]}}

No error tells what the server says: a query may hold what it is not meant to.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from ratchet.clients.http import http_client
from ratchet.clients.openai import bearer
from ratchet.core.errors import TerminalError, TransientError

TIMEOUT_SECONDS = 30.0


class PrometheusAway(TransientError, ConnectionError):
    """Nobody answers, or not in time, or with a server error, or too many ask."""

    code = "UNAVAILABLE"


class NoNumber(TerminalError, ValueError):
    """The query is none, or its answer is more than one number."""

    code = "SETTINGS_INVALID"


@dataclass(frozen=True)
class Prometheus:
    """`url` is without /api. `key`, if it wants one, is sent as a bearer token."""

    url: str
    key: str = field(default="", repr=False)

    def number(self, name: str, query: str) -> float | None:
        """What the query says now; None where nothing is known. `name` is for messages.

        Raises PrometheusAway, NoNumber.
        """
        import httpx

        url = f"{self.url.rstrip('/')}/api/v1/query"
        try:
            answer = http_client().get(url, params={"query": query}, timeout=TIMEOUT_SECONDS, headers=bearer(self.key))
        except httpx.HTTPError as error:
            raise PrometheusAway(
                f"KPI {name}: {url} does not answer ({type(error).__name__}); look at [prometheus] url of ratchet.toml"
            ) from None
        if answer.status_code in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.BAD_REQUEST):
            raise NoNumber(f"KPI {name}: {url} does not take the query; try it there: {query}")
        if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise PrometheusAway(f"KPI {name}: {url} answers {answer.status_code}")
        if not answer.is_success:
            raise NoNumber(
                f"KPI {name}: {url} answers {answer.status_code}: expected 200 as of Prometheus' API; look at "
                "[prometheus] url of ratchet.toml and at the key (docs/quality.md)"
            )
        return _number(name, query, answer)


def _number(name: str, query: str, answer: Any) -> float | None:
    try:
        data = answer.json()["data"]
        samples = [data["result"]] if data["resultType"] == "scalar" else [one["value"] for one in data["result"]]
        values = [float(value) for _, value in samples]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise NoNumber(f"KPI {name}: no answer of Prometheus' API to the query {query}") from None
    if len(values) > 1:
        raise NoNumber(f"KPI {name}: expected one number, got {len(values)}: sum or average them in the query {query}")
    return values[0] if values and math.isfinite(values[0]) else None
