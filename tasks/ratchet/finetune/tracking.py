"""The training log is a file in the work folder; the tracking server is fed from it, and its absence costs nothing."""

import json
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.clients.registry import MetricRecord
from ratchet.core.contract import canonical_json
from ratchet.core.errors import TransientError
from ratchet.core.log import log

if TYPE_CHECKING:
    from ratchet.clients.registry import Registry

POLL_SECONDS = 1.0  # between looks for new records
MAX_WAIT_SECONDS = 30.0  # between tries while the server is away, doubling from POLL_SECONDS
CLOSE_SECONDS = 5.0  # what the end of training grants the server to catch up


class TrainingLog:
    """One line per record, e.g. {"at_ms":1767582000120,"metrics":{"loss":0.71,"num_tokens":1412.0},"step":10}

    `records` is the same in memory. The first `num_durable` of them stay, whatever is killed: only they are published,
    so that a step that comes again after a resume is not told twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[MetricRecord] = _read(path) if path.exists() else []
        self.num_durable = 0

    def go_on_after(self, step: int) -> None:
        """Drop what a stopped attempt logged beyond its checkpoint of `step`: those steps come again."""
        self.records = [record for record in self.records if record.step <= step and "loss" in record.metrics]
        temporary = self.path.with_suffix(".tmp")
        temporary.write_bytes(b"".join(map(_line, self.records)))
        temporary.rename(self.path)
        self.num_durable = len(self.records)

    def append(self, step: int, metrics: Mapping[str, float]) -> None:
        record = MetricRecord(step=step, at_ms=time.time_ns() // 1_000_000, metrics=dict(metrics))
        with self.path.open("ab") as file:
            file.write(_line(record))
        self.records.append(record)

    def sync(self) -> None:
        """Make all records so far durable; called before the checkpoint that relies on them is sealed."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.num_durable = len(self.records)

    def series(self, metric: str) -> list[float]:
        return [record.metrics[metric] for record in self.records if metric in record.metrics]


class Mirror:
    """Copies a training log to the tracking server, in order, from a thread of its own that tries until it is done.

    Leaving the context waits for at most `close_seconds`; after an error not at all.
    """

    def __init__(
        self,
        training_log: TrainingLog,
        registry: "Callable[[], Registry]",
        open_run: "Callable[[Registry], str]",
        *,
        poll_seconds: float = POLL_SECONDS,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        """`registry` and `open_run` are called in the thread: connecting may be slow, or fail."""
        self._log = training_log
        self._registry = registry
        self._open_run = open_run
        self._poll_seconds = poll_seconds
        self._close_seconds = close_seconds
        self._closing = threading.Event()
        self._give_up_at = math.inf
        self._num_sent = 0
        self.complete = False  # the server has everything, and knows that it is all
        self._thread = threading.Thread(target=self._follow, name="tracking", daemon=True)

    def __enter__(self) -> "Mirror":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._give_up_at = time.monotonic() + (self._close_seconds if kind is None else 0.0)
        self._closing.set()
        if kind is not None:
            return
        self._thread.join(self._close_seconds)
        missing = len(self._log.records) - self._num_sent
        if missing:
            log.warning(
                "the tracking server is behind; the next step that reaches it tells it the rest",
                extra={"num_missing": missing, "num_records": len(self._log.records)},
            )

    def _follow(self) -> None:
        wait, run_id, away = self._poll_seconds, None, False
        while True:
            closing = self._closing.is_set()  # read before sending: what came before closing is sent in this round
            try:
                registry = self._registry()
                run_id = run_id or self._open_run(registry)
                self._send(registry, run_id)
                if closing:
                    registry.finish_run(run_id)
                    self.complete = True
                    return
                wait, away = self._poll_seconds, False
            except TransientError as error:
                if not away:
                    log.warning("the tracking server is away; training goes on", extra={"reason": str(error)})
                wait, away = min(2 * wait, MAX_WAIT_SECONDS), True
            except Exception:  # a fault there must not cost a training here
                log.warning("tracking is given up; training goes on", exc_info=True)
                return
            if closing and time.monotonic() >= self._give_up_at:
                return
            if closing:
                time.sleep(self._poll_seconds)
            else:
                self._closing.wait(wait)

    def _send(self, registry: "Registry", run_id: str) -> None:
        until = self._log.num_durable
        if until > self._num_sent:
            registry.log_metrics(run_id, self._log.records[self._num_sent : until])
            self._num_sent = until


def _line(record: MetricRecord) -> bytes:
    return canonical_json({"step": record.step, "at_ms": record.at_ms, "metrics": record.metrics}) + b"\n"


def _read(path: Path) -> list[MetricRecord]:
    """A last line that was cut short by a kill is left out."""
    whole, _, _torn = path.read_bytes().rpartition(b"\n")
    return [MetricRecord(**json.loads(line)) for line in whole.splitlines()]
