"""The task of every step: find the work by its key or have it done; return the manifest's outputs."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, XComArg, literal
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from pydantic import BaseModel

from ratchet.clients import manifests
from ratchet.clients.memory import NotEnoughMemory
from ratchet.clients.pod_status import Ending
from ratchet.clients.settings import CONFIG_VARIABLE, Settings, load
from ratchet.clients.store import Store
from ratchet.clients.traces import tell_part
from ratchet.clients.world import World
from ratchet.core.contract import Contract
from ratchet.core.errors import (
    EXIT_DONE,
    EXIT_NOTHING_TO_DO,
    EXIT_TERMINAL,
    NothingToDo,
    RatchetError,
    TerminalError,
)
from ratchet.core.failures import pointer
from ratchet.core.memo import MANIFEST_KEY, ErrorRecord, Manifest
from ratchet.core.telemetry import RUN_ID
from ratchet.orchestration.runtime import ProcessRuntime, Work
from ratchet.orchestration.tracing import trace_of
from ratchet.recipes.recipe import Recipe
from ratchet.steps import STEPS

KILLED_BY_SIGNAL = 128  # and the signal's number, as shells, guards and pods say it


def step_task(
    recipe: Recipe, *, step: str, inputs: dict[str, Any], publishes: Sequence[Path] = (), **kwargs: Any
) -> BaseOperator:
    """One step of the table as an Airflow task; `ratchet.toml` says whether it runs in a process or in a pod.

    Args:
        step: the step's word.
        inputs: the fields of the step's Inputs contract; values may be outputs of other steps (`task.output["field"]`).
        publishes: policy files that the step's inputs name by digest; they are put into the store first.
    """
    fields = {"task_id": step, **kwargs, "step": step, "inputs": sealed(inputs), "publishes": [*map(str, publishes)]}
    if load().runtime == "process":
        return StepOperator(**fields)
    # Importing the Kubernetes operator takes seconds, which a laptop's DAGs need not pay.
    from ratchet.orchestration.pod_step import PodStep

    return PodStep(line=recipe.line, pod_resources=recipe.pod_of(step), **fields)


@contextmanager
def told_to_airflow() -> Iterator[None]:
    """Our errors as Airflow's: skip, fail now, or fail and retry."""
    try:
        yield
    except NothingToDo as error:
        raise AirflowSkipException(str(error)) from error
    except RatchetError as error:
        kind = AirflowFailException if isinstance(error, TerminalError) else AirflowException
        raise kind(f"{error}\n{pointer(error.code)}") from error


class StepOperator(BaseOperator):
    """A step as a process in its image's environment, on Airflow's own machine."""

    template_fields: Sequence[str] = ("inputs",)
    ui_color = "#e8f0fe"

    def __init__(self, *, step: str, inputs: dict[str, Any], publishes: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(multiple_outputs=True, **kwargs)
        self.step = step
        self.inputs = inputs
        self.publishes = publishes
        self._runtime: ProcessRuntime | None = None

    @told_to_airflow()
    def execute(self, context: Any) -> dict[str, Any]:
        settings = load()
        store = World(settings, settings.scratch).store
        publish(store, self.publishes)
        work = work_of(self.step, self.inputs, context, settings)
        manifest = found(settings, store, work, self.log.info) or self._do(settings, store, work)
        return xcom_of(manifest)

    def on_kill(self) -> None:
        if self._runtime:
            self._runtime.kill()

    def _do(self, settings: Settings, store: Store, work: Work) -> Manifest:
        started = datetime.now(UTC)
        self._runtime = ProcessRuntime(settings, Path(os.environ[CONFIG_VARIABLE]))
        return concluded(store, work, Ending(self._runtime.run(work, self.log.info)), started, self.log.warning)


def xcom_of(manifest: Manifest) -> dict[str, Any]:
    """The step's outputs, and the key by which its manifest is found again."""
    return {**manifest.outputs, MANIFEST_KEY: manifest.key}


def publish(store: Store, paths: Sequence[str]) -> None:
    for path in paths:
        store.put_file(Path(path))


def work_of(step: str, inputs: dict[str, Any], context: Any, settings: Settings) -> Work:
    """This attempt at this step's work, from inputs that Airflow has rendered."""
    known, checked = STEPS[step], STEPS[step].inputs.model_validate(inputs)
    run_id, attempt = context["run_id"], str(context["ti"].try_number)
    key = known.key(checked, settings, run_id=run_id, attempt=attempt)
    return Work(known, checked, key, run_id, attempt, trace_of(context))


def found(settings: Settings, store: Store, work: Work, say: Any) -> Manifest | None:
    manifest = manifests.find(store, work.step.name, work.key)
    if manifest:
        say("found, not run again: %s %s", work.step.name, work.key[:12])
        now = datetime.now(UTC)
        tell_part(
            settings,
            work.trace,
            work.step.name,
            (now, now),
            {RUN_ID: work.run_id, "ratchet.key": work.key, "ratchet.found": True},
        )
    return manifest


def concluded(store: Store, work: Work, ending: Ending, started: datetime, warn: Any) -> Manifest:
    """The manifest of work that has ended. Raises what Airflow is to make of work that left none."""
    manifest = manifests.find(store, work.step.name, work.key)
    if manifest is None:
        left = manifests.newest_error(store, work.step.name, work.key, since=started)
        record = record_of(work, ending, left, datetime.now(UTC))
        if record != left:
            manifests.write_error(store, record)
        raise failure(work.step.name, ending, record)
    if ending.exit_code != EXIT_DONE:  # the manifest is written last: all of the work was done before
        warn("%s ended with exit code %s after its work was done. %s", work.step.name, ending.exit_code, ending.why)
    return manifest


def record_of(work: Work, ending: Ending, left: ErrorRecord | None, at: datetime) -> ErrorRecord:
    """The attempt's error record: what the step left, unless only its pod knows why it ended."""
    if left and not ending.code:
        return left
    said = [f"{left.error}: {left.message}" if left else "", ending.why]
    return ErrorRecord(
        step=work.step.name,
        key=work.key,
        run_id=work.run_id,
        attempt=work.attempt,
        code=_code(work.step.name, ending),
        error="Ending",
        message="; ".join(part for part in said if part) or "it left no error record; its log says more",
        exit_code=ending.exit_code,
        traceback=None,
        at=at,
    )


def _code(step: str, ending: Ending) -> str:
    if ending.code == NotEnoughMemory.code and step == "finetune":
        return "TRAIN_OOM"
    return ending.code or ("KILLED" if ending.exit_code > KILLED_BY_SIGNAL else "NO_RECORD")


def failure(step: str, ending: Ending, record: ErrorRecord) -> AirflowException:
    """What Airflow is to make of a step that left no manifest: skip, fail now, or fail and retry."""
    said = f"{record.error}: {record.message}"
    if ending.exit_code == EXIT_NOTHING_TO_DO:
        return AirflowSkipException(f"{step}: nothing to do. {said}")
    said = f"{said}\n{pointer(record.code)}" if record.code else said
    if ending.exit_code == EXIT_TERMINAL:
        return AirflowFailException(f"{step} failed and a retry cannot help. {said}")
    if ending.exit_code == EXIT_DONE:
        return AirflowException(f"{step} ended with 0 but wrote no manifest, so it is not done. {said}")
    return AirflowException(f"{step} ended with exit code {ending.exit_code}; a retry may help. {said}")


def sealed(value: Any) -> Any:
    """Plain data with every constant string kept from Jinja; only references are rendered.

    A prompt or a task's YAML may hold {{ }} of its own.
    """
    if isinstance(value, XComArg):
        return value
    if isinstance(value, Contract):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, dict):
        return {name: sealed(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [sealed(item) for item in value]
    return literal(value) if isinstance(value, str) else value
