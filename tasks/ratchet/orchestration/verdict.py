"""A verdict that stops the run: the rest is skipped, the run stays green, the reason stands in the task's log."""

from typing import Any, Literal

from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import XComArg

from ratchet.core.checks import Verdict


def stops(verdict: Verdict, on_inconclusive: Literal["stop", "ask"]) -> bool:
    """FAIL always stops; INCONCLUSIVE stops unless the recipe says to ask the approver."""
    return verdict == "FAIL" or (verdict == "INCONCLUSIVE" and on_inconclusive == "stop")


def proceed_unless_stopped(
    task_id: str, verdict: XComArg, on_inconclusive: Literal["stop", "ask"]
) -> ShortCircuitOperator:
    def proceed(verdict: Verdict) -> bool:
        return not stops(verdict, on_inconclusive)

    call: dict[str, Any] = {"python_callable": proceed, "op_kwargs": {"verdict": verdict}}
    return ShortCircuitOperator(task_id=task_id, retries=0, **call)
