"""What a run did and when, drawn from the spans that it left on this machine."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ratchet.clients import json_lines
from ratchet.clients.settings import Settings
from ratchet.clients.traces import trace_file, traces_folder
from ratchet.core.errors import TerminalError
from ratchet.core.telemetry import RUN_ID, RunTrace

NUM_RUNS = 20
KINDS = ("release", "intake", "drill", "monitor", "drift", "quality")
_BAR = 30
# Of a step's parts: most files are fetched in less.
_WORTH_A_LINE_SECONDS = 0.05


class NoSuchRun(TerminalError, LookupError):
    """No span of that run is on this machine."""

    code = "REFUSED"


@dataclass(frozen=True)
class Span:
    span_id: str
    parent_id: str | None
    name: str
    began: datetime
    ended: datetime
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds()

    @property
    def remark(self) -> str:
        found = "found, not run again" if self.attributes.get("ratchet.found") else ""
        by = f"answered by {who}" if (who := self.attributes.get("ratchet.by")) else ""
        return self.attributes.get("error.type") or found or by


@dataclass(frozen=True)
class TracedRun:
    dag_id: str
    run_id: str
    spans: tuple[Span, ...]

    @property
    def began(self) -> datetime:
        return min(span.began for span in self.spans)

    @property
    def seconds(self) -> float:
        return (max(span.ended for span in self.spans) - self.began).total_seconds()

    @property
    def result(self) -> str:
        """Airflow's word; the root span, which has it, is told last."""
        told = (span.attributes.get("cicd.pipeline.result") for span in self.spans)
        return next(filter(None, told), "not finished")


@dataclass(frozen=True)
class Row:
    """A span at its place in the tree; `from_start` is in seconds from the run's first span."""

    span: Span
    depth: int
    from_start: float


def find(settings: Settings, line: str, run_id: str | None) -> TracedRun:
    """The run with that id; the newest release, if none is named. Raises NoSuchRun."""
    releases = (run for run in newest_first(settings, line) if run.dag_id == f"release_{line}")
    named = (_read(settings, f"{kind}_{line}", run_id) for kind in KINDS if run_id)
    if found := next(filter(None, named), None) if run_id else next(releases, None):
        return found
    raise NoSuchRun(
        f"no spans of {run_id or 'a release'} in {traces_folder(settings)}: `ratchet runs` lists the runs that left any"
    )


def newest_first(settings: Settings, line: str) -> Iterator[TracedRun]:
    for path in json_lines.newest_first(traces_folder(settings).glob("*.jsonl")):
        run_id = next((span.attributes[RUN_ID] for span in _spans(path) if RUN_ID in span.attributes), None)
        made_by = (kind for kind in KINDS if run_id and trace_file(settings, _trace(kind, line, run_id)) == path)
        if run_id and (kind := next(made_by, None)) and (run := _read(settings, f"{kind}_{line}", run_id)):
            yield run


def in_order(run: TracedRun) -> list[Row]:
    """Parents before their children, each by its beginning. What has no parent here (yet) stands at the top."""
    known = {span.span_id for span in run.spans}
    children: dict[str | None, list[Span]] = {}
    for span in sorted(run.spans, key=lambda span: span.began):
        children.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)

    def rows(parent: str | None, depth: int) -> Iterator[Row]:
        for span in children.get(parent, []):
            yield Row(span, depth, (span.began - run.began).total_seconds())
            yield from rows(span.span_id, depth + 1)

    return list(rows(None, 0))


def show(run: TracedRun, console: Console) -> None:
    """A waterfall: one line a span, its bar where it was in the run. A part that took next to no time has no line."""
    console.print(f"{run.dag_id} {run.run_id}: {run.result}", markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for heading, how in (("what", {}), ("from, s", {"justify": "right"}), ("took, s", {"justify": "right"})):
        table.add_column(heading, **how)  # type: ignore[arg-type]
    table.add_column("when", no_wrap=True)
    table.add_column("")
    for row in in_order(run):
        if row.depth > 1 and row.span.seconds < _WORTH_A_LINE_SECONDS and "error.type" not in row.span.attributes:
            continue
        bar = Text(_bar(row, run.seconds), style="red" if "error.type" in row.span.attributes else "cyan")
        name = Text("  " * row.depth + row.span.name)
        table.add_row(name, f"{row.from_start:.1f}", f"{row.span.seconds:.1f}", bar, Text(row.span.remark))
    console.print(table)


def show_all(settings: Settings, line: str, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "began", "took, s", "result"):
        table.add_column(heading)
    for _, run in zip(range(NUM_RUNS), newest_first(settings, line), strict=False):
        began = f"{run.began.astimezone():%Y-%m-%d %H:%M:%S}"
        table.add_row(Text(f"{run.dag_id} {run.run_id}"), began, f"{run.seconds:.0f}", run.result)
    console.print(table)


def _bar(row: Row, whole: float) -> str:
    per_second = _BAR / whole if whole else 0.0
    begin = min(round(row.from_start * per_second), _BAR - 1)
    return " " * begin + "━" * max(1, min(round(row.span.seconds * per_second), _BAR - begin))


def _trace(kind: str, line: str, run_id: str) -> RunTrace:
    return RunTrace.of(f"{kind}_{line}", run_id)


def _read(settings: Settings, dag_id: str, run_id: str) -> TracedRun | None:
    spans = _spans(trace_file(settings, RunTrace.of(dag_id, run_id)))
    return TracedRun(dag_id, run_id, spans) if spans else None


def _spans(path: Path) -> tuple[Span, ...]:
    """A line that a killed process left half-written is passed over."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return ()
    return tuple(filter(None, map(_parsed, lines)))


def _parsed(line: str) -> Span | None:
    try:
        told = json.loads(line)
        began, ended = (datetime.fromisoformat(told[name]) for name in ("start_time", "end_time"))
        ids = told["context"]["span_id"], told["parent_id"]
        return Span(*ids, told["name"], began, ended, told["attributes"] or {})
    except (ValueError, KeyError, TypeError):
        return None
