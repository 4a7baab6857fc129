"""Tells people of a run that ended failed: once, when no retry is left, with what to type next."""

import logging
from typing import Any

from ratchet.clients import manifests
from ratchet.clients.settings import Settings, load
from ratchet.clients.world import World
from ratchet.core.failures import Failure, failures
from ratchet.orchestration.messages import about_failure
from ratchet.orchestration.notify import send
from ratchet.orchestration.tracing import SPAN_OF_THE_RUN

log = logging.getLogger("ratchet.endings")


def _tell_people(context: Any) -> None:
    settings, run_id = load(), context["run_id"]
    task = context["task"].task_id if "task" in context else None
    why = _why(settings, run_id, task) if task else None
    send(settings, "failures", about_failure(settings.recipe, context["dag"].dag_id, run_id, task, why))


# For each DAG whose failed run has no alert of its own that wakes somebody.
TOLD_WHEN_IT_FAILS = {**SPAN_OF_THE_RUN, "on_failure_callback": [SPAN_OF_THE_RUN["on_failure_callback"], _tell_people]}


def is_of(task: str, step: str) -> bool:
    """A task is named after its step, and what it works on if there are two. Airflow's callback may know no more."""
    return task == step or task.startswith(f"{step}_")


def _why(settings: Settings, run_id: str, task: str) -> Failure | None:
    """What is known of the failure that ended the run; None where the failed task left no record.

    Another step's record is of an attempt that was tried again, or of another DAG's run of the same id.
    """
    try:
        record = manifests.last_failure(World(settings, settings.scratch).store, run_id)
    except Exception:  # people are told all the same
        log.exception("the store was asked why a run failed, and did not say")
        return None
    return failures().get(record.code or "") if record and is_of(task, record.step) else None
