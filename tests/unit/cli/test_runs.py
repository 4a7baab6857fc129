from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ratchet.cli.runs import NoSuchRun, find, in_order, newest_first, show, show_all
from ratchet.clients.settings import Settings
from ratchet.clients.traces import tell_part, tell_run, trace_file, traced
from ratchet.core.telemetry import RUN_ID, RunTrace, span

BEGAN = datetime(2026, 1, 5, 3, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path)


def _after(seconds: float, took: float) -> tuple[datetime, datetime]:
    return BEGAN + timedelta(seconds=seconds), BEGAN + timedelta(seconds=seconds + took)


def _release(settings: Settings, run_id: str, *, ended: bool = True, kind: str = "release") -> None:
    run = RunTrace.of(f"{kind}_support", run_id)
    tell_part(settings, run, "prepare", _after(20, 10), {RUN_ID: run_id})
    tell_part(settings, run, "validate", _after(0, 5), {RUN_ID: run_id, "ratchet.found": True})
    if ended:
        tell_run(settings, run, f"{kind}_support", _after(0, 60), {RUN_ID: run_id, "cicd.pipeline.result": "success"})


def _drawn(settings: Settings, run_id: str | None) -> str:
    console = Console(file=StringIO(), width=160)
    show(find(settings, "support", run_id), console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_a_waterfall_has_a_line_for_each_span_parents_first_then_by_time(settings: Settings) -> None:
    _release(settings, "by-mia")

    rows = in_order(find(settings, "support", "by-mia"))

    assert [(row.span.name, row.depth, row.from_start) for row in rows] == [
        ("release_support", 0, 0.0),
        ("validate", 1, 0.0),
        ("prepare", 1, 20.0),
    ]


def test_a_bar_stands_where_its_span_was_in_the_run(settings: Settings) -> None:
    _release(settings, "by-mia")

    told, _, root, validate, prepare = _drawn(settings, "by-mia").splitlines()

    assert told.strip() == "release_support by-mia: success"
    assert root.count("━") == 30
    assert validate.count("━") == 2
    assert "found, not run again" in validate
    assert prepare.count("━") == 5
    assert prepare.index("━") - root.index("━") == 10
    assert prepare.split()[1:3] == ["20.0", "10.0"]


def test_a_run_that_is_not_finished_is_drawn_as_far_as_it_came(settings: Settings) -> None:
    _release(settings, "by-mia", ended=False)

    assert "by-mia: not finished" in _drawn(settings, "by-mia")
    assert [row.depth for row in in_order(find(settings, "support", "by-mia"))] == [0, 0]


def test_a_part_of_a_step_that_took_no_time_has_no_line(settings: Settings) -> None:
    run = RunTrace.of("release_support", "r")
    with traced(settings, run.traceparent, "finetune", {RUN_ID: "r"}), span("store.fetch_file"), span("inner"):
        pass
    tell_run(settings, run, "release_support", _after(0, 60), {RUN_ID: "r"})

    assert "finetune" in _drawn(settings, "r")
    assert "store.fetch_file" not in _drawn(settings, "r")


def test_a_failed_part_is_told_by_its_error(settings: Settings) -> None:
    run = RunTrace.of("release_support", "r")
    with pytest.raises(LookupError), traced(settings, run.traceparent, "finetune", {RUN_ID: "r"}), span("train"):
        raise LookupError

    assert "LookupError" in _drawn(settings, "r")


def test_without_a_name_the_newest_release_is_shown(settings: Settings) -> None:
    _release(settings, "first")
    _release(settings, "second")
    _release(settings, "upload", kind="intake")

    assert find(settings, "support", None).run_id == "second"
    assert next(newest_first(settings, "support")).dag_id == "intake_support"
    assert find(settings, "support", "upload").dag_id == "intake_support"


def test_runs_are_listed_with_how_they_ended(settings: Settings) -> None:
    _release(settings, "first")
    _release(settings, "second", ended=False)
    console = Console(file=StringIO(), width=160)

    show_all(settings, "support", console)

    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split()[1:2] + line.split()[-1:] for line in lines[1:]] == [
        ["second", "finished"],
        ["first", "success"],
    ]


def test_a_run_that_left_nothing_is_told_where_it_was_looked_for(settings: Settings) -> None:
    with pytest.raises(NoSuchRun, match=r"no spans of by-mia in .*traces: `ratchet runs`"):
        find(settings, "support", "by-mia")


def test_a_line_that_was_cut_off_is_passed_over(settings: Settings) -> None:
    _release(settings, "by-mia")
    with trace_file(settings, RunTrace.of("release_support", "by-mia")).open("a") as file:
        file.write('{"name": "fine')

    assert len(find(settings, "support", "by-mia").spans) == 3
