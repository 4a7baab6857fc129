"""The one operator of every step: find the work by its key or have the runtime do it; return the manifest's outputs."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, XComArg, literal
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from pydantic import BaseModel

from ratchet.clients import manifests
from ratchet.clients.settings import CONFIG_VARIABLE, Settings, load
from ratchet.clients.store import Store
from ratchet.clients.world import World
from ratchet.core.contract import Contract
from ratchet.core.errors import EXIT_DONE, EXIT_NOTHING_TO_DO, EXIT_TERMINAL
from ratchet.core.memo import ErrorRecord, Manifest
from ratchet.orchestration.runtime import Runtime, Work, runtime_of
from ratchet.steps import STEPS


class StepOperator(BaseOperator):
    """Run one step of the table as an Airflow task.

    Args:
        step: the step's word.
        inputs: the fields of the step's Inputs contract; values may be outputs of other steps (`step.output["field"]`).
        publishes: policy files that the step's inputs name by digest; they are put into the store first.
    """

    template_fields: Sequence[str] = ("inputs",)
    ui_color = "#e8f0fe"

    def __init__(self, *, step: str, inputs: dict[str, Any], publishes: Sequence[Path] = (), **kwargs: Any) -> None:
        kwargs.setdefault("task_id", step)
        super().__init__(multiple_outputs=True, **kwargs)
        self.step = step
        # Only references are rendered: a prompt or a task's YAML may hold {{ }} of its own.
        self.inputs = {name: _sealed(value) for name, value in inputs.items()}
        self.publishes = [str(path) for path in publishes]
        self._runtime: Runtime | None = None

    def execute(self, context: Any) -> dict[str, Any]:
        settings, step = load(), STEPS[self.step]
        store = World(settings, settings.scratch).store
        for path in self.publishes:
            store.put_file(Path(path))
        inputs = step.inputs.model_validate(self.inputs)
        run_id, attempt = context["run_id"], str(context["ti"].try_number)
        key = step.key(inputs, settings, run_id=run_id, attempt=attempt)
        manifest = manifests.find(store, self.step, key)
        if manifest:
            self.log.info("found, not run again: %s %s", self.step, key[:12])
        else:
            manifest = self._do(settings, store, Work(step, inputs, key, run_id, attempt))
        return dict(manifest.outputs)

    def on_kill(self) -> None:
        if self._runtime:
            self._runtime.kill()

    def _do(self, settings: Settings, store: Store, work: Work) -> Manifest:
        started = datetime.now(UTC)
        self._runtime = runtime_of(settings, Path(os.environ[CONFIG_VARIABLE]))
        exit_code = self._runtime.run(work, self.log.info)
        manifest = manifests.find(store, self.step, work.key) if exit_code == EXIT_DONE else None
        if manifest:
            return manifest
        raise failure(self.step, exit_code, manifests.newest_error(store, self.step, work.key, since=started))


def failure(step: str, exit_code: int, record: ErrorRecord | None) -> AirflowException:
    """What Airflow is to make of a step that left no manifest: skip, fail now, or fail and retry."""
    said = f"{record.error}: {record.message}" if record else "it left no error record; its log is above"
    if exit_code == EXIT_NOTHING_TO_DO:
        return AirflowSkipException(f"{step}: nothing to do. {said}")
    if exit_code == EXIT_TERMINAL:
        return AirflowFailException(f"{step} failed and a retry cannot help. {said}")
    if exit_code == EXIT_DONE:
        return AirflowException(f"{step} ended with 0 but wrote no manifest, so it is not done")
    return AirflowException(f"{step} ended with exit code {exit_code}; a retry may help. {said}")


def _sealed(value: Any) -> Any:
    """Plain data with every constant string kept from Jinja; references stay references."""
    if isinstance(value, XComArg):
        return value
    if isinstance(value, Contract):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, dict):
        return {name: _sealed(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sealed(item) for item in value]
    return literal(value) if isinstance(value, str) else value
