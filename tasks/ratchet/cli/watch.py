"""A release as it runs: one line per task with state, elapsed time and the step's own progress."""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ratchet.clients.airflow import Airflow, TaskState
from ratchet.core.errors import TransientError
from ratchet.core.log import PROGRESS

CHAIN = (
    *("resolve", "validate", "prepare", "finetune", "evaluate_baseline", "evaluate_candidate", "ratings", "gate"),
    *("good_enough", "convert", "stage", "report", "worth_asking", "approve", "promote", "has_users", "bake"),
    "unload",
)
ENDED = frozenset({"success", "failed"})
AT_WORK = frozenset({"running", "deferred"})  # deferred: its pod runs, and no worker waits for it
_MARKS = {
    "success": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "running": "[cyan]▶[/]",
    "deferred": "[cyan]▶[/]",
    "awaiting_input": "[yellow]?[/]",
}
_PROGRESS_LINE = re.compile(rf"(?:\[step\] (?:logs: )?)?(?:\d\d:\d\d:\d\d )?{PROGRESS}\s(.+)")
_WORDS = {
    None: "waiting",
    "deferred": "in its pod",
    "awaiting_input": "waits for approval",
    "upstream_failed": "not reached",
}
POLL_SECONDS = 2.0
SCHEDULER_SECONDS = 5.0  # until the scheduler knows that the approval waits: who is told of it then may answer at once
QUIET_LINE_SECONDS = 15.0
MAX_SILENT_POLLS = 30


@dataclass(frozen=True)
class Run:
    dag_id: str
    run_id: str


@dataclass(frozen=True)
class Snapshot:
    """The run at one moment. `notes` is the newest progress of each running task."""

    state: str
    tasks: list[TaskState]
    notes: dict[str, str]

    @property
    def waiting_attempt(self) -> int | None:
        """The number of the attempt that waits for a person's answer."""
        waiting = (t.try_number for t in self.tasks if t.task_id == "approve" and t.state == "awaiting_input")
        return next(waiting, None)


def follow(airflow: Airflow, run: Run, console: Console, on_approval: Callable[[], None] | None = None) -> str:
    """Show the run until it ends; returns its last state.

    When it waits for a person, `on_approval` is called; without it, watching ends there. Airflow may lose an answer
    that comes while its scheduler has not seen yet that the task waits: then the next attempt is answered too.
    """
    answered: set[int] = set()
    with _Table(console) if console.is_terminal else _Lines(console) as view:
        while True:
            snapshot = _patiently(airflow, run)
            view.show(snapshot)
            attempt = snapshot.waiting_attempt
            if snapshot.state in ENDED:
                return snapshot.state
            if attempt is not None and attempt not in answered:
                time.sleep(SCHEDULER_SECONDS)
                if on_approval is None:
                    return snapshot.state
                answered.add(attempt)
                on_approval()
            time.sleep(POLL_SECONDS)


def _patiently(airflow: Airflow, run: Run) -> Snapshot:
    """Airflow may be busy or restarting; a watcher waits a while before it gives up."""
    for _ in range(MAX_SILENT_POLLS):
        with suppress(TransientError):
            return look(airflow, run)
        time.sleep(POLL_SECONDS)
    return look(airflow, run)


def look(airflow: Airflow, run: Run) -> Snapshot:
    tasks = airflow.tasks(run.dag_id, run.run_id)
    notes = {task.task_id: _note(airflow, run, task) for task in tasks if task.state in AT_WORK}
    told = {task_id: note for task_id, note in notes.items() if note}
    return Snapshot(airflow.run_state(run.dag_id, run.run_id), sorted(tasks, key=_place), told)


class _Table:
    """For people: one table, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4)

    def __enter__(self) -> "_Table":
        self._live.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._live.__exit__(*exc)

    def show(self, snapshot: Snapshot) -> None:
        self._live.update(_table(snapshot))


class _Lines:
    """For logs and pipes: a line when a task changes, and now and then how far the running one is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[str, str | None] = {}
        self._spoke_at = time.monotonic()

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *exc: Any) -> None:
        pass

    def show(self, snapshot: Snapshot) -> None:
        for task in snapshot.tasks:
            if self._seen.get(task.task_id) != task.state:
                self._seen[task.task_id] = task.state
                mark = _MARKS.get(task.state or "", " ")
                self._say(f"{mark} {task.task_id:<20} {_word(task):<18} {_elapsed(task)}")
        if time.monotonic() - self._spoke_at > QUIET_LINE_SECONDS:
            for task_id, note in snapshot.notes.items():
                self._say(f"  {task_id:<20} {escape(note)}")

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False)
        self._spoke_at = time.monotonic()


def _note(airflow: Airflow, run: Run, task: TaskState) -> str:
    """The step's newest progress."""
    return newest_progress(airflow.log(run.dag_id, run.run_id, task))


def newest_progress(lines: Sequence[str]) -> str:
    """Lines of a pod have its container's name and a time before them."""
    found = (match for line in reversed(lines) if (match := _PROGRESS_LINE.match(line)))
    return next((match[1].strip() for match in found), "")


def _table(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "step", "state", "elapsed", "progress"):
        table.add_column(
            heading, justify="right" if heading == "elapsed" else "left", overflow="ellipsis", no_wrap=True
        )
    for task in snapshot.tasks:
        mark = _MARKS.get(task.state or "", "[dim]·[/]")
        table.add_row(mark, task.task_id, _word(task), _elapsed(task), Text(snapshot.notes.get(task.task_id, "")))
    return table


def _word(task: TaskState) -> str:
    return _WORDS.get(task.state, task.state or "")


def _elapsed(task: TaskState) -> str:
    if task.start_date is None:
        return ""
    return f"{((task.end_date or datetime.now(UTC)) - task.start_date).total_seconds():.0f} s"


def _place(task: TaskState) -> int:
    return CHAIN.index(task.task_id) if task.task_id in CHAIN else len(CHAIN)
