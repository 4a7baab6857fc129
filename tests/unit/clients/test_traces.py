"""Spans of a run: below its root, in its file, at a collector."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.collector import Collector, collecting
from tests.fakes.collector import told as said

from ratchet.clients.settings import Settings, TraceSettings
from ratchet.clients.traces import tell_part, tell_run, trace_file, traced
from ratchet.core.telemetry import RunTrace, span

RUN = RunTrace.of("release_support", "by-mia")
BEGAN = datetime(2026, 1, 5, 3, tzinfo=UTC)
TIMES = (BEGAN, BEGAN + timedelta(minutes=7))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path)


def told(settings: Settings, run: RunTrace = RUN) -> dict[str, Any]:
    lines = trace_file(settings, run).read_text("utf-8").splitlines()
    return {line["name"]: line for line in map(json.loads, lines)}


def test_a_steps_work_stands_below_the_root_of_its_run(settings: Settings) -> None:
    with traced(settings, RUN.traceparent, "finetune", {"ratchet.key": "a"}), span("train", num_steps=3):
        pass
    tell_run(settings, RUN, "release_support", TIMES, {"cicd.pipeline.result": "success"})

    spans = told(settings)
    root = spans["release_support"]
    assert {line["context"]["trace_id"] for line in spans.values()} == {f"0x{RUN.trace_id:032x}"}
    assert root["context"]["span_id"] == f"0x{RUN.span_id:016x}"
    assert root["parent_id"] is None
    assert (root["start_time"], root["end_time"]) == ("2026-01-05T03:00:00.000000Z", "2026-01-05T03:07:00.000000Z")
    assert spans["finetune"]["parent_id"] == root["context"]["span_id"]
    assert spans["finetune"]["attributes"] == {"ratchet.key": "a"}
    assert spans["train"]["parent_id"] == spans["finetune"]["context"]["span_id"]
    assert spans["train"]["attributes"] == {"ratchet.num_steps": 3}


def test_a_failure_is_told_by_its_class_and_never_by_what_it_says(settings: Settings) -> None:
    with suppress(ValueError), traced(settings, RUN.traceparent, "validate", {}), span("read"):
        raise ValueError("row 7 holds hunter2")

    for line in told(settings).values():
        assert line["attributes"]["error.type"] == "ValueError"
        assert line["status"] == {"status_code": "ERROR"}
    assert "hunter2" not in trace_file(settings, RUN).read_text("utf-8")


def test_two_runs_have_two_traces_and_one_run_has_one(settings: Settings) -> None:
    other = RunTrace.of("intake_support", "by-mia")
    tell_part(settings, other, "validate", TIMES, {})
    tell_part(settings, RUN, "validate", TIMES, {"ratchet.found": True})
    tell_part(settings, RUN, "prepare", TIMES, {})

    assert set(told(settings, other)) == {"validate"}
    assert set(told(settings)) == {"validate", "prepare"}
    assert told(settings)["prepare"]["parent_id"] == f"0x{RUN.span_id:016x}"


def test_work_without_a_run_leaves_nothing(settings: Settings) -> None:
    with traced(settings, None, "finetune", {}), span("train"):
        pass

    assert not trace_file(settings, RUN).parent.exists()


def test_spans_outside_of_a_trace_cost_nothing_and_do_not_fail() -> None:
    with span("store.fetch_file", bytes=7):
        pass


def no_folder(file: Path) -> None:
    file.parent.write_text("a file stands where the folder should be")


def full_disk(file: Path) -> None:
    file.parent.mkdir()
    file.symlink_to("/dev/full")


@pytest.mark.parametrize("refuses", [no_folder, full_disk])
def test_a_disk_that_takes_no_spans_does_not_fail_the_work_and_says_so_once(
    settings: Settings, refuses: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    settings.state.mkdir()
    refuses(trace_file(settings, RUN))

    with caplog.at_level("WARNING"), traced(settings, RUN.traceparent, "finetune", {}), span("train"):
        done = True

    assert done
    assert [record.message for record in caplog.records] == ["this run's spans cannot be kept"]


def test_a_trace_that_goes_while_others_are_forgotten_fails_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = trace_file(settings, RunTrace.of("release_support", "forgotten by another run"))
    monkeypatch.setattr(Path, "glob", lambda *_: iter([gone]))

    tell_run(settings, RUN, "release_support", TIMES, {})

    assert set(told(settings)) == {"release_support"}


def test_old_traces_go_when_a_run_ends(settings: Settings) -> None:
    old, recent = RunTrace.of("release_support", "long ago"), RunTrace.of("release_support", "last week")
    for run, days in ((old, 31), (recent, 7)):
        tell_part(settings, run, "validate", TIMES, {})
        then = time.time() - days * 86400
        os.utime(trace_file(settings, run), (then, then))

    tell_run(settings, RUN, "release_support", TIMES, {})

    assert not trace_file(settings, old).exists()
    assert trace_file(settings, recent).exists()


# a collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def test_a_collector_gets_the_same_spans(tmp_path: Path, collector: Collector) -> None:
    settings = Settings(root=tmp_path, traces=TraceSettings(otlp_endpoint=collector.url))

    with traced(settings, RUN.traceparent, "finetune", {}), span("train"):
        pass

    spans = collector.spans()
    assert {one.name for one in spans} == set(told(settings)) == {"finetune", "train"}
    assert {one.trace_id for one in spans} == {RUN.trace_id.to_bytes(16)}
    assert said(collector.received[0].resource_spans[0].resource)["service.name"] == "ratchet"


def test_a_collector_that_is_away_neither_fails_nor_holds_up_the_work(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, traces=TraceSettings(otlp_endpoint="http://127.0.0.1:9"))

    with traced(settings, RUN.traceparent, "finetune", {}):
        pass

    assert set(told(settings)) == {"finetune"}
