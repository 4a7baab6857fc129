"""`ratchet benchmark TASK`: a stock task of lm-eval, imported once, in the one environment that has lm-eval."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ratchet.clients import guard
from ratchet.clients.process import OFFLINE, PATIENT
from ratchet.clients.settings import Settings
from ratchet.core.errors import EXIT_DONE, EXIT_TERMINAL, EXIT_TRANSIENT, TerminalError, TransientError


@dataclass(frozen=True)
class Benchmark:
    """What to import; a None leaves it to the task. `into` None: where recipes look."""

    task: str
    into: Path | None = None
    num_fewshot: int | None = None
    limit: int | None = None
    filter_name: str | None = None
    max_gen_toks: int | None = None
    force: bool = False

    def arguments(self, into: Path) -> list[str]:
        options = {
            "--into": into,
            "--num-fewshot": self.num_fewshot,
            "--limit": self.limit,
            "--filter": self.filter_name,
            "--max-gen-toks": self.max_gen_toks,
        }
        given = [word for name, value in options.items() if value is not None for word in (name, str(value))]
        return [self.task, *given, *(["--force"] if self.force else [])]


@dataclass(frozen=True)
class Brought:
    """`outcome` is what the importer printed (evaluate/stock/importer.py, Imported)."""

    folder: Path
    outcome: dict[str, Any]


def bring(settings: Settings, benchmark: Benchmark, on_line: Callable[[str], None]) -> Brought:
    """Run the importer to its end. Raises TerminalError or TransientError with its own sentence."""
    python = settings.python("evaluate")
    if not python.is_file():
        raise TerminalError(f"no environment with lm-eval: expected {python}; run `make setup`")
    folder = (benchmark.into or settings.root / "quality_gates" / "tasks").resolve()
    command = guard.guarded(str(python), "-m", "ratchet.evaluate.stock", *benchmark.arguments(folder))
    # Everything of the caller's: a token for gated data, a proxy, a cache. Only that it may go on-line.
    environment = {name: value for name, value in os.environ.items() if name not in OFFLINE} | PATIENT
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, encoding="utf-8") as process:
        for line in process.stderr or ():
            on_line(line.rstrip("\n"))
        said = process.stdout.read().strip() if process.stdout else ""
    if process.returncode == EXIT_DONE:
        return Brought(folder, json.loads(said))
    if process.returncode in (EXIT_TERMINAL, EXIT_TRANSIENT) and said:
        raise (TerminalError if process.returncode == EXIT_TERMINAL else TransientError)(said)
    raise TerminalError(f"importing {benchmark.task} ended with {process.returncode}; what it said is above")


def show(brought: Brought, console: Console) -> None:
    outcome = brought.outcome
    name, subjects = outcome["name"], outcome["num_subjects"]
    of = f" of {subjects} subjects" if subjects > 1 else ""
    console.print(
        f"{name}: {outcome['num_rows']:,} rows{of}, {', '.join(outcome['metrics'])}; asked and scored as lm-eval does"
    )
    if outcome["note"]:
        console.print(outcome["note"], markup=False)
    console.print(f"written: {brought.folder / name}.yaml and .jsonl", soft_wrap=True, markup=False)
    console.print(f'in a recipe: files.task("{name}", with_data=True); in its gate file: task = "{name}"')
