"""What every verb works with, and how it runs one step here and now, without Airflow."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from ratchet.cli import show
from ratchet.cli.measure import find_model
from ratchet.clients import manifests
from ratchet.clients.process import run_step, step_environment
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.contract import Contract
from ratchet.core.errors import (
    EXIT_DONE,
    EXIT_NOTHING_TO_DO,
    EXIT_TERMINAL,
    NothingToDo,
    RatchetError,
    TerminalError,
    TransientError,
)
from ratchet.core.memo import ErrorRecord
from ratchet.core.refs import FolderRef
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe
from ratchet.steps import STEPS


@dataclass(frozen=True)
class Here:
    """What every verb works with. The recipe is read when a verb needs it: the one that brings its data does not."""

    settings: Settings
    config: Path
    recipe_name: str
    console: Console

    @cached_property
    def recipe(self) -> Recipe:
        return load_recipe(self.recipe_name, self.settings.root)

    @property
    def dag_id(self) -> str:
        return f"release_{self.recipe.line}"

    @property
    def world(self) -> World:
        return World(self.settings, self.settings.scratch)

    def model(self, name: str) -> FolderRef:
        """Of the line, by any of its names. Raises TerminalError."""
        return find_model(self.world, self.recipe.line, name)

    def do(self, step: str, inputs: Contract) -> Any:
        """Run a step here, its log lines made readable."""
        return do_step(self.settings, self.config, step, inputs, show.readable_to(self.console))


def do_step(
    settings: Settings,
    config: Path,
    name: str,
    inputs: Contract,
    on_line: Callable[[str], None],
    python: Path | None = None,
) -> Any:
    """The step's outputs. Raises what its exit code stands for, with the message of its error record."""
    step = STEPS[name]
    run_id, started = f"by-hand-{uuid.uuid4().hex}", datetime.now(UTC)
    environment = step_environment(settings, config, {"RATCHET_RUN_ID": run_id, "RATCHET_ATTEMPT": "1"})
    interpreter = python or settings.python(step.image)
    exit_code, outputs = run_step(interpreter, name, inputs.canonical_json(), environment, on_line)
    if exit_code == EXIT_DONE:
        return step.outputs.model_validate_json(outputs)
    key = step.key(inputs, settings, run_id=run_id, attempt="1")
    record = _record(World(settings, settings.scratch), name, key, started)
    said = record.message if record else f"{name} ended with exit code {exit_code} and left no record"
    kind = {EXIT_TERMINAL: TerminalError, EXIT_NOTHING_TO_DO: NothingToDo}.get(exit_code, TransientError)
    failed = kind(said)
    failed.code = (record and record.code) or "NO_RECORD"
    raise failed


def _record(world: World, step: str, key: str, since: datetime) -> ErrorRecord | None:
    """The step's error record; None too when the store is what failed."""
    try:
        return manifests.newest_error(world.store, step, key, since)
    except RatchetError:
        return None
