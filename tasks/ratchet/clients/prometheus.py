"""A Prometheus, asked for numbers over its HTTP API.

GET /api/v1/query_range?query=up&start=0&end=60&step=60
→ {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {"job": "a"}, "values": [[0, "1"]]}]}}
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ratchet.clients.http import http_client
from ratchet.clients.openai import bearer
from ratchet.core.errors import TerminalError, TransientError

TIMEOUT_SECONDS = 30.0


class PrometheusAway(TransientError, ConnectionError):
    """Nobody answers there, or somebody who is no Prometheus."""

    code = "UNAVAILABLE"


class QueryRefused(TerminalError, ValueError):
    """Prometheus does not understand a query, or cannot answer it."""

    code = "REFUSED"


class NotLetIn(QueryRefused):
    """It wants a key, or another one."""


@dataclass(frozen=True)
class Series:
    """`points`: (Unix time, value), oldest first. Moments without a number (NaN, infinite) are left out."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Window:
    """From `start` to `end` (Unix time), a look every `step_seconds`."""

    start: float
    end: float
    step_seconds: float


class Prometheus:
    """`url` is without /api. `key`, if it wants one, is sent as a bearer token."""

    def __init__(self, url: str, key: str = "") -> None:
        self._url, self._headers = url.rstrip("/"), bearer(key)

    @property
    def place(self) -> str:
        """Host and port: what else is in a URL may be secret."""
        import httpx

        return httpx.URL(self._url).netloc.decode()

    def at(self, query: str, moment: float) -> tuple[Series, ...]:
        """One point a series. Raises PrometheusAway, QueryRefused."""
        data = self._ask("query", query=query, time=moment)
        if data["resultType"] == "scalar":
            return _series([({}, [data["result"]])])
        return _series((each["metric"], [each["value"]]) for each in data["result"])

    def over(self, query: str, window: Window) -> tuple[Series, ...]:
        """Raises PrometheusAway, QueryRefused."""
        data = self._ask("query_range", query=query, start=window.start, end=window.end, step=window.step_seconds)
        return _series((each["metric"], each["values"]) for each in data["result"])

    def _ask(self, path: str, **asked: Any) -> Any:
        import httpx

        try:
            answer = http_client().get(
                f"{self._url}/api/v1/{path}", params=asked, timeout=TIMEOUT_SECONDS, headers=self._headers
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PrometheusAway(
                f"no Prometheus answers at {self.place} ({error}): start one that reads the exporter, "
                "`prometheus --config.file docs/prometheus.yml`, or name another (`--prometheus`, `[prometheus] url`)"
            ) from error
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise NotLetIn(f"{self.place} answers with status {answer.status_code}: it wants a key, or another one")
        try:
            told = answer.json()
            if told["status"] == "success":
                return told["data"]
            problem = f"{told['errorType']}: {told['error']}"
        except (ValueError, KeyError, TypeError) as error:
            raise PrometheusAway(
                f"{self.place} answers with status {answer.status_code}, and not as Prometheus does: name the address "
                "where its own page is, such as http://127.0.0.1:9090"
            ) from error
        raise QueryRefused(problem)


def _series(found: Iterable[tuple[Mapping[str, str], Iterable[tuple[float, str]]]]) -> tuple[Series, ...]:
    told = (
        Series(labels, tuple((at, number) for at, text in points if math.isfinite(number := float(text))))
        for labels, points in found
    )
    return tuple(series for series in told if series.points)
