"""A source that is down, hangs or has a bug tells of itself, and hinders no other."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from prometheus_client.metrics_core import Metric
from tests.fakes.metrics import scraped, series, value

from ratchet.clients.bucket import StoreAway
from ratchet.core.errors import EXIT_TERMINAL
from ratchet.sight.collector import PipelineCollector, Source
from ratchet.sight.families import gauge
from ratchet.sight.server import PortTaken, serving


def _tells(number: float = 1.0, line: str = "support") -> Callable[[], Sequence[Metric]]:
    return lambda: [gauge(line, "ratchet_number", "A number.", number)]


def _fails(error: Exception) -> Callable[[], Sequence[Metric]]:
    def read() -> Sequence[Metric]:
        raise error

    return read


@contextmanager
def _hanging() -> Iterator[tuple[Source, threading.Event]]:
    """A source that answers when the event is set, and how often it was asked is in its number."""
    released, asked = threading.Event(), []

    def read() -> Sequence[Metric]:
        asked.append(1)
        released.wait(60)
        return _tells(len(asked))()

    try:
        yield Source("slow", read, max_age_seconds=0.0), released
    finally:
        released.set()


@pytest.mark.parametrize("error", [StoreAway("the store is away"), KeyError("a bug")])
def test_one_source_that_fails_takes_no_other_along(error: Exception) -> None:
    found = series(PipelineCollector([Source("bad", _fails(error)), Source("good", _tells())]).collect())

    assert value(found, "ratchet_up", source="bad") == 0
    assert value(found, "ratchet_up", source="good") == 1
    assert value(found, "ratchet_number") == 1


def test_a_source_that_hangs_is_not_waited_for_longer_than_the_bound() -> None:
    with _hanging() as (slow, _):
        found = series(PipelineCollector([slow, Source("good", _tells(2.0))], timeout_seconds=0.2).collect())

    assert value(found, "ratchet_up", source="slow") == 0
    assert value(found, "ratchet_up", source="good") == 1
    assert value(found, "ratchet_number") == 2


def test_what_a_slow_source_found_is_told_by_the_next_look_and_it_is_asked_once() -> None:
    with _hanging() as (slow, released):
        collector = PipelineCollector([slow], timeout_seconds=0.05)
        assert value(series(collector.collect()), "ratchet_up", source="slow") == 0
        assert value(series(collector.collect()), "ratchet_up", source="slow") == 0
        released.set()

        patient = PipelineCollector([slow], timeout_seconds=30.0)
        patient._readers = collector._readers

        assert value(series(patient.collect()), "ratchet_number") == 1


def test_an_answer_is_told_again_while_it_is_fresh() -> None:
    asked: list[int] = []

    def read() -> Sequence[Metric]:
        asked.append(1)
        return _tells(len(asked))()

    fresh = PipelineCollector([Source("journal", read, max_age_seconds=3600.0)])
    for _ in range(3):
        assert value(series(fresh.collect()), "ratchet_number") == 1

    stale = PipelineCollector([Source("journal", read, max_age_seconds=0.0)])
    assert [value(series(stale.collect()), "ratchet_number") for _ in range(2)] == [2, 3]


def test_what_an_earlier_look_found_is_not_told_once_the_source_is_away() -> None:
    answers = iter([_tells(), _fails(StoreAway("gone"))])

    def read() -> Sequence[Metric]:
        return next(answers)()

    collector = PipelineCollector([Source("store", read, max_age_seconds=0.0)])
    assert value(series(collector.collect()), "ratchet_number") == 1

    found = series(collector.collect())

    assert value(found, "ratchet_number") is None
    assert value(found, "ratchet_up", source="store") == 0


def test_an_outage_is_logged_when_it_begins_and_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    down = _fails(StoreAway("the store is away"))
    answers = iter([_tells(), down, down, down, _tells(), _tells()])

    def read() -> Sequence[Metric]:
        return next(answers)()

    collector = PipelineCollector([Source("store", read, max_age_seconds=0.0)])
    with caplog.at_level("INFO"):
        for _ in range(6):
            list(collector.collect())

    assert [record.message for record in caplog.records] == ["cannot be read now", "can be read again"]


def test_it_is_served_as_prometheus_reads_it() -> None:
    with serving([Source("good", _tells(3.0))], "127.0.0.1", 0) as port:
        found = scraped(f"http://127.0.0.1:{port}/metrics")

    assert value(found, "ratchet_number", line="support") == 3
    assert value(found, "ratchet_up", source="good") == 1


def test_a_taken_port_is_a_clear_error() -> None:
    with serving([], "127.0.0.1", 0) as port, pytest.raises(PortTaken) as raised, serving([], "127.0.0.1", port):
        pass

    assert "exporter under [ports] in ratchet.toml" in str(raised.value)
    assert raised.value.exit_code == EXIT_TERMINAL
