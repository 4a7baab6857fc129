"""The person's approval: this operator alone sees the authenticated answer, and alone writes it to the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.checks import Verdict
from ratchet.core.proposal import Proposal
from ratchet.core.releases import LedgerEvent

TIMED_OUT = "time-out"


class ReleaseApproval(ApprovalOperator):
    """Ask a named approver; a time-out rejects.

    Args:
        proposal: the fields of core.releases.Proposal; values may be outputs of steps.
        verdict: the report's; an approval of what is INCONCLUSIVE is an override, and needs a written reason.
        approvers: the users who may answer.
        two_people: whoever started the run may not.
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "proposal", "verdict")

    def __init__(
        self,
        *,
        proposal: dict[str, Any],
        verdict: Any,
        approvers: Sequence[str],
        two_people: bool,
        timeout_hours: int,
        body: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            body=body,
            defaults=self.REJECT,
            response_timeout=timedelta(hours=timeout_hours),
            assigned_users=_users(approvers),
            params={"reason": Param("", type="string", description="Why (kept in the ledger)")},
            execution_timeout=None,
            **kwargs,
        )
        self.proposal = proposal
        self.verdict = verdict
        self.approvers = tuple(approvers)
        self.two_people = two_people

    def execute(self, context: Any) -> Any:
        self.assigned_users = _users(may_answer(self.approvers, self.two_people, started_by(context)))
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        if "error" not in event:
            self.validate_chosen_options(event["chosen_options"])
            answer = answer_of(event)
            if problem := unexplained(answer, self.verdict):
                raise AirflowFailException(problem)
            settings = load()
            proposal = Proposal.model_validate(self.proposal)
            record(World(settings, settings.scratch), proposal, answer, started_by(context))
        return super().execute_complete(context, event)


def _users(names: Sequence[str]) -> list[Any]:
    return [{"id": name, "name": name} for name in names]


def started_by(context: Any) -> str:
    """Who started the run; empty for its schedule."""
    return context["dag_run"].triggering_user_name or ""


def may_answer(approvers: Sequence[str], two_people: bool, asked_by: str) -> tuple[str, ...]:
    """Raises AirflowFailException when nobody is left."""
    left = tuple(user for user in approvers if not (two_people and user == asked_by))
    if not left:
        raise AirflowFailException(
            f"{asked_by} started this run and is its only approver, but the recipe asks for two people: name another "
            "approver in the recipe, or have somebody else start the run"
        )
    return left


@dataclass(frozen=True)
class Answer:
    kind: Literal["approved", "rejected"]
    by: str
    reason: str
    at: datetime


def unexplained(answer: Answer, verdict: Verdict) -> str | None:
    """Why this answer must not stand as it is; None when it may."""
    if answer.kind == "approved" and verdict == "INCONCLUSIVE" and not answer.reason.strip():
        return (
            f"{answer.by} approved what the gate did not settle, without a written reason: nothing is promoted; run "
            "the release again (its steps are found) and give the reason in the form, or by `ratchet approve --reason`"
        )
    return None


def answer_of(event: dict[str, Any]) -> Answer:
    user = event.get("responded_by_user") or {}
    return Answer(
        kind="approved" if ApprovalOperator.APPROVE in event["chosen_options"] else "rejected",
        by=user.get("name") or user.get("id") or TIMED_OUT,
        reason=(event.get("params_input") or {}).get("reason", ""),
        at=event["responded_at"],
    )


def record(world: World, proposal: Proposal, answer: Answer, asked_by: str) -> None:
    """Append the answer to the ledger, once: a task that is run again finds it there."""

    def decide(events: Sequence[LedgerEvent]) -> LedgerEvent | None:
        written = {(event.kind, event.evidence, event.at) for event in events}
        if (answer.kind, proposal.evidence, answer.at) in written:
            return None
        return proposal.event(answer.kind, at=answer.at, by=answer.by, note=answer.reason, asked_by=asked_by)

    world.ledger(proposal.line).append(decide)
