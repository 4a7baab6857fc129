import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ratchet.clients.registry import MetricRecord, RegistryUnavailable
from ratchet.finetune.tracking import Mirror, TrainingLog


class FakeRegistry:
    """Refuses while `away`; a record sent twice shows up twice in `received`."""

    def __init__(self, away: bool = False, error: Exception | None = None) -> None:
        self.away = away
        self.error = error or RegistryUnavailable("away")
        self.received: list[MetricRecord] = []
        self.runs: list[str] = []
        self.finished: list[str] = []
        self.num_calls = 0

    def open_run(self, line: str, key: str, params: Mapping[str, str], tags: Mapping[str, str]) -> str:
        self._answer()
        self.runs.append(key)
        return f"run-{key}"

    def log_metrics(self, run_id: str, records: Sequence[MetricRecord]) -> None:
        self._answer()
        self.received += records

    def finish_run(self, run_id: str) -> None:
        self._answer()
        self.finished.append(run_id)

    def _answer(self) -> None:
        self.num_calls += 1
        if self.away:
            raise self.error


@pytest.fixture
def training_log(tmp_path: Path) -> TrainingLog:
    return TrainingLog(tmp_path / "training_log.jsonl")


def mirror(training_log: TrainingLog, registry: FakeRegistry, close_seconds: float = 10.0) -> Mirror:
    def connect() -> Any:
        return registry

    return Mirror(
        training_log,
        connect,
        lambda found: found.open_run("support", key="k", params={}, tags={}),
        poll_seconds=0.01,
        close_seconds=close_seconds,
    )


def train(training_log: TrainingLog, first: int, last: int) -> None:
    for step in range(first, last + 1):
        training_log.append(step, {"loss": 1.0 / step})
    training_log.sync()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)


def steps(records: Sequence[MetricRecord]) -> list[int]:
    return [record.step for record in records]


def test_the_log_reads_back_what_was_written(training_log: TrainingLog) -> None:
    train(training_log, 1, 3)

    assert TrainingLog(training_log.path).records == training_log.records


def test_a_line_torn_by_a_kill_is_left_out(training_log: TrainingLog) -> None:
    train(training_log, 1, 3)
    training_log.path.write_bytes(training_log.path.read_bytes()[:-5])

    assert steps(TrainingLog(training_log.path).records) == [1, 2]


def test_after_a_resume_every_step_is_there_once(training_log: TrainingLog) -> None:
    train(training_log, 1, 7)
    again = TrainingLog(training_log.path)

    again.go_on_after(5)
    train(again, 6, 10)

    assert steps(again.records) == list(range(1, 11))
    assert TrainingLog(again.path).records == again.records


def test_a_resume_after_the_last_step_drops_the_validation_that_comes_again(training_log: TrainingLog) -> None:
    train(training_log, 1, 5)
    training_log.append(5, {"validation_loss": 0.3})

    training_log.go_on_after(5)

    assert steps(training_log.records) == [1, 2, 3, 4, 5]


def test_a_log_starts_anew_without_a_checkpoint(training_log: TrainingLog) -> None:
    train(training_log, 1, 4)

    training_log.go_on_after(0)

    assert training_log.path.read_bytes() == b""


def test_all_records_reach_the_registry_in_order_and_the_run_is_finished(training_log: TrainingLog) -> None:
    registry = FakeRegistry()

    with mirror(training_log, registry):
        train(training_log, 1, 20)
        train(training_log, 21, 40)

    assert registry.received == training_log.records
    assert registry.runs == ["k"]
    assert registry.finished == ["run-k"]


def test_after_an_outage_the_records_are_replayed_in_order_and_once(training_log: TrainingLog) -> None:
    registry = FakeRegistry()

    with mirror(training_log, registry):
        train(training_log, 1, 5)
        until(lambda: len(registry.received) == 5)
        registry.away = True
        train(training_log, 6, 10)
        until(lambda: registry.num_calls > 4)
        registry.away = False

    assert steps(registry.received) == list(range(1, 11))


def test_a_server_that_is_away_throughout_costs_the_closing_wait_at_most(training_log: TrainingLog) -> None:
    registry = FakeRegistry(away=True)
    started = time.monotonic()

    with mirror(training_log, registry, close_seconds=0.2):
        train(training_log, 1, 5)

    assert time.monotonic() - started < 2.0
    assert registry.received == []


def test_what_an_outage_kept_back_is_replayed_by_the_attempt_that_resumes(training_log: TrainingLog) -> None:
    with mirror(training_log, FakeRegistry(away=True), close_seconds=0.05):
        train(training_log, 1, 5)
    again, registry = TrainingLog(training_log.path), FakeRegistry()
    again.go_on_after(5)

    with mirror(again, registry):
        train(again, 6, 10)

    assert steps(registry.received) == list(range(1, 11))


def test_a_bug_in_tracking_does_not_reach_the_training(training_log: TrainingLog) -> None:
    registry = FakeRegistry(away=True, error=ZeroDivisionError("a bug"))

    with mirror(training_log, registry):
        train(training_log, 1, 5)

    assert registry.num_calls == 1


def test_a_step_that_may_come_again_is_not_told_yet(training_log: TrainingLog) -> None:
    registry = FakeRegistry()

    with suppress(KeyboardInterrupt), mirror(training_log, registry):
        train(training_log, 1, 5)
        training_log.append(6, {"loss": 0.1})
        until(lambda: len(registry.received) == 5)
        raise KeyboardInterrupt

    assert steps(registry.received) == [1, 2, 3, 4, 5]
    assert registry.finished == []


def test_a_failure_of_the_training_is_not_held_up(training_log: TrainingLog) -> None:
    started = time.monotonic()

    with pytest.raises(ValueError, match="diverged"), mirror(training_log, FakeRegistry(away=True), close_seconds=60.0):
        raise ValueError("diverged")

    assert time.monotonic() - started < 5.0
