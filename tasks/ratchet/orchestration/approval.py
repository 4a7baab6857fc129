"""The person's approval: this operator alone sees the authenticated answer, and alone writes it to the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException

from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.checks import Verdict
from ratchet.core.errors import RatchetError
from ratchet.core.notices import Notice
from ratchet.core.proposal import Proposal
from ratchet.core.releases import LedgerEvent
from ratchet.orchestration.operator import told_to_airflow
from ratchet.orchestration.reminders import ask, tell, tell_timed_out
from ratchet.orchestration.tracing import tell_waited

TIMED_OUT = "time-out"


class ReleaseApproval(ApprovalOperator):
    """Ask a named approver; a time-out rejects.

    Args:
        proposal: the fields of core.releases.Proposal; values may be outputs of steps.
        verdict: the report's; an approval of what is INCONCLUSIVE is an override, and needs a written reason.
        approvers: the users who may answer.
        two_people: whoever started the run may not.
        timeout_hours: from the first request on; an attempt that is run again does not wait longer.
        escalate_to: who is told when nobody answered in time.
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "proposal", "verdict")

    def __init__(
        self,
        *,
        proposal: dict[str, Any],
        verdict: Any,
        approvers: Sequence[str],
        two_people: bool,
        timeout_hours: float,
        escalate_to: Sequence[str],
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
        self.timeout_hours = timeout_hours
        self.escalate_to = tuple(escalate_to)

    @told_to_airflow()
    def execute(self, context: Any) -> Any:
        settings = load()
        world, now = World(settings, settings.scratch), datetime.now(UTC)
        allowed = may_answer(self.approvers, self.two_people, started_by(context))
        self.assigned_users = _users(allowed)
        request, is_new = ask(world, self._request(context, allowed, now))
        self.response_timeout = request.rejects_at - now
        if is_new:
            # Airflow calls them once people can answer.
            self.notifiers = [lambda _: tell(world, request, self.escalate_to)]  # type: ignore[list-item]
        return super().execute(context)

    def _request(self, context: Any, allowed: Sequence[str], now: datetime) -> Notice:
        proposal, run_id = Proposal.model_validate(self.proposal), context["run_id"]
        return Notice(
            line=proposal.line,
            moment="asked",
            at=now,
            run_id=run_id,
            release_id=proposal.release_id,
            approvers=tuple(allowed),
            page=f"{conf.get('api', 'base_url', fallback='')}/dags/{self.dag_id}/runs/{quote(run_id)}/tasks/"
            f"{self.task_id}/required_actions",
            asked_at=now,
            rejects_at=now + timedelta(hours=self.timeout_hours),
        )

    @told_to_airflow()
    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        if "error" not in event:
            self.validate_chosen_options(event["chosen_options"])
            answer = answer_of(event)
            if problem := unexplained(answer, self.verdict):
                raise AirflowFailException(problem)
            settings = load()
            proposal = Proposal.model_validate(self.proposal)
            world = World(settings, settings.scratch)
            record(world, proposal, answer, started_by(context))
            tell_waited(context, self.task_id, answer.by)
            if answer.by == TIMED_OUT:
                self._tell_timed_out(world, proposal, context)
        return super().execute_complete(context, event)

    def _tell_timed_out(self, world: World, proposal: Proposal, context: Any) -> None:
        try:
            tell_timed_out(world, proposal.line, context["run_id"], self.escalate_to)
        except RatchetError as error:  # the answer is in the ledger, and must be acted on
            self.log.warning("nobody was told that %s timed out: %s", proposal.release_id, error)


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
