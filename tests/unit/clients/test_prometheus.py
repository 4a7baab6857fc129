"""What Prometheus may answer, and what is made of it; tests/unit/sight asks a real one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest

from ratchet.clients.prometheus import Prometheus, PrometheusAway, QueryRefused, Series, Window


@contextmanager
def answering(status: int, body: Any) -> Iterator[tuple[Prometheus, list[str]]]:
    """Somebody who answers so; the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield Prometheus(f"http://127.0.0.1:{server.server_port}/"), asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def found(kind: str, result: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


def test_series_are_told_without_the_moments_that_have_no_number() -> None:
    values = [[0, "1"], [60, "NaN"], [120, "+Inf"], [180, "2.5"]]
    only_nan = {"metric": {"step": "b"}, "values": [[0, "NaN"]]}
    with answering(200, found("matrix", [{"metric": {"step": "a"}, "values": values}, only_nan])) as (
        prometheus,
        asked,
    ):
        told = prometheus.over("a > 0", Window(0.0, 180.0, 60.0))

    assert told == (Series({"step": "a"}, ((0, 1.0), (180, 2.5))),)
    (path, query) = asked[0].split("?")
    assert path == "/api/v1/query_range"
    assert parse_qs(query) == {"query": ["a > 0"], "start": ["0.0"], "end": ["180.0"], "step": ["60.0"]}


@pytest.mark.parametrize(("kind", "result"), [("vector", [{"metric": {}, "value": [5, "3"]}]), ("scalar", [5, "3"])])
def test_a_moment_is_told_of_series_and_of_a_bare_number(kind: str, result: Any) -> None:
    with answering(200, found(kind, result)) as (prometheus, _):
        assert prometheus.at("x", 5.0) == (Series({}, ((5, 3.0),)),)


def test_a_refused_query_is_told_in_prometheus_own_words() -> None:
    refused = {"status": "error", "errorType": "bad_data", "error": "parse error: unexpected end of input"}
    with answering(400, refused) as (prometheus, _), pytest.raises(QueryRefused, match="bad_data: parse error"):
        prometheus.at("sum(", 0.0)


@pytest.mark.parametrize("body", [b"<html>", [], {"status": "odd"}])
def test_somebody_else_who_answers_there_is_no_prometheus(body: Any) -> None:
    with (
        answering(404, body) as (prometheus, _),
        pytest.raises(PrometheusAway, match="status 404, and not as Prometheus"),
    ):
        prometheus.at("x", 0.0)


def test_where_nobody_answers_the_message_says_what_to_start() -> None:
    with answering(200, {}) as (prometheus, _):
        pass
    with pytest.raises(PrometheusAway, match=r"prometheus --config\.file docs/prometheus\.yml"):
        prometheus.at("x", 0.0)


@pytest.mark.parametrize("url", ["not a url", "http://", "ftp://127.0.0.1"])
def test_what_is_no_url_is_an_address_without_a_prometheus(url: str) -> None:
    with pytest.raises(PrometheusAway):
        Prometheus(url).at("x", 0.0)


def test_a_password_in_the_url_is_shown_nowhere() -> None:
    prometheus = Prometheus("http://me:hunter2@127.0.0.1:1")

    assert prometheus.place == "127.0.0.1:1"
    with pytest.raises(PrometheusAway) as raised:
        prometheus.at("x", 0.0)
    assert "hunter2" not in str(raised.value)
