"""What Prometheus gets when it asks: every source is read at that moment, side by side, each within its own bounds.

ratchet_up{source="ledger"} 1      it was read, just now or shortly before
ratchet_up{source="airflow"} 0     it failed, or is not done yet: none of its metrics are told, those of others are
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ratchet.core.log import log

# Prometheus itself gives up after 10 s unless told otherwise.
TIMEOUT_SECONDS = 6.0


@dataclass(frozen=True)
class Source:
    """`read` may take its time and may raise. What it told is told again, unread, for `max_age_seconds`."""

    name: str
    read: Callable[[], Sequence[Metric]]
    max_age_seconds: float = 10.0


class PipelineCollector(Collector):
    """All sources together. `timeout_seconds` bounds a whole look, however many of them hang."""

    def __init__(self, sources: Sequence[Source], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._readers = [_Reader(source) for source in sources]
        self._timeout_seconds = timeout_seconds
        self._one_at_a_time = threading.Lock()

    def describe(self) -> Iterable[Metric]:
        """Nothing is read when the collector is registered."""
        return []

    def collect(self) -> Iterable[Metric]:
        with self._one_at_a_time:
            for reader in self._readers:
                reader.begin()
            deadline = time.monotonic() + self._timeout_seconds
            told = [(reader, reader.answer(deadline)) for reader in self._readers]
        up = GaugeMetricFamily(
            "ratchet_up", "Could this source be read? 0: none of its metrics are told.", labels=["source"]
        )
        took = GaugeMetricFamily("ratchet_read_duration_seconds", "How long the last read took.", labels=["source"])
        for reader, metrics in told:
            up.add_metric([reader.source.name], float(metrics is not None))
            took.add_metric([reader.source.name], reader.duration_seconds)
            yield from metrics or ()
        yield up
        yield took


class _Reader:
    """One source, and its newest answer. A read that hangs is waited for by the next look, not begun anew."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.duration_seconds = 0.0
        self._read: _Read | None = None
        self._metrics: Sequence[Metric] | None = None
        self._told_at = 0.0
        self._is_away = False

    def begin(self) -> None:
        is_fresh = self._metrics is not None and time.monotonic() - self._told_at < self.source.max_age_seconds
        if self._read is None and not is_fresh:
            self._read = _Read(self.source)

    def answer(self, deadline: float) -> Sequence[Metric] | None:
        """None when the source failed, or is not done at `deadline` (time.monotonic)."""
        if self._read is None:
            return self._metrics
        if not self._read.done.wait(max(0.0, deadline - time.monotonic())):
            return None
        self._metrics, self.duration_seconds = self._read.metrics, self._read.duration_seconds
        self._say(self._read.problem)
        self._read, self._told_at = None, time.monotonic()
        return self._metrics

    def _say(self, problem: str) -> None:
        """Once when it goes and once when it is back: an outage must not fill the log."""
        if problem and not self._is_away:
            log.warning("cannot be read now", extra={"source": self.source.name, "reason": problem})
        elif self._is_away and not problem:
            log.info("can be read again", extra={"source": self.source.name})
        self._is_away = bool(problem)


class _Read:
    """One reading of a source, in a thread that does not keep the process from ending."""

    def __init__(self, source: Source) -> None:
        self.done = threading.Event()
        self.metrics: Sequence[Metric] | None = None
        self.problem = ""
        self.duration_seconds = 0.0
        threading.Thread(target=self._run, args=(source,), name=f"read-{source.name}", daemon=True).start()

    def _run(self, source: Source) -> None:
        started = time.monotonic()
        try:
            self.metrics = list(source.read())
        except Exception as error:  # whatever fails in here must not take the other sources along
            self.problem = f"{type(error).__name__}: {error}"
        self.duration_seconds = time.monotonic() - started
        self.done.set()
