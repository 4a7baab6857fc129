"""Tells people of a release that waits for approval: when it is asked for, again, others too, and that it timed out.

The task that waits sleeps in Airflow's database, without worker or triggerer. So what was said when is kept in the
store (`notices/<line>/`), and a task of the monitor DAG looks there for what is due.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator

from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.notices import Moment, Notice, Patience, due, open_requests
from ratchet.orchestration.messages import about
from ratchet.orchestration.notify import Channel, send
from ratchet.orchestration.operator import told_to_airflow

AWAITING_INPUT = "awaiting_input"
_CHANNELS: dict[Moment, Channel] = {
    "asked": "approvals",
    "reminded": "approvals",
    "escalated": "escalations",
    "timed out": "escalations",
}


class RemindApprovers(BaseOperator):
    """Send what is due of each request that waits; run by a schedule, as often as reminders are to be punctual.

    Args:
        approval: the DAG and the task that ask; a request whose task does not wait any more is passed over.
    """

    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        line: str,
        approval: tuple[str, str],
        reminder_hours: float,
        escalation_hours: float,
        escalate_to: Sequence[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.line = line
        self.approval = approval
        self.reminder_hours = reminder_hours
        self.escalation_hours = escalation_hours
        self.escalate_to = tuple(escalate_to)

    @told_to_airflow()
    def execute(self, context: Any) -> None:
        settings = load()
        world, now = World(settings, settings.scratch), datetime.now(UTC)
        for request in open_requests(world.notices(self.line).records(), world.ledger(self.line).events(), now):
            if self._waits(context["ti"], request):
                self.log.info("run %s waits since %s", request.run_id, request.asked_at)
                self._tell_due(world, request, now)

    def _tell_due(self, world: World, request: Notice, now: datetime) -> None:
        patience = Patience(self.reminder_hours, self.escalation_hours)
        tell_once(world, request, lambda said: due(request, said, patience, now), now, self.escalate_to)

    def _waits(self, ti: Any, request: Notice) -> bool:
        """A run that was cancelled, or failed, has no answer in the ledger."""
        dag_id, task_id = self.approval
        states = ti.get_task_states(dag_id=dag_id, task_ids=[task_id], run_ids=[request.run_id])
        return bool(states.get(request.run_id, {}).get(task_id) == AWAITING_INPUT)


def ask(world: World, request: Notice) -> tuple[Notice, bool]:
    """The request that stands, and whether it is new: a task that is run again keeps the clock, and asks once."""
    journal, events = world.notices(request.line), world.ledger(request.line).events()

    def standing(said: Sequence[Notice]) -> Notice | None:
        same = (request.run_id, request.release_id)
        return next((o for o in open_requests(said, events, request.at) if (o.run_id, o.release_id) == same), None)

    written = journal.append(lambda said: None if standing(said) else request)
    return (written, True) if written else (standing(journal.records()) or request, False)


def tell_timed_out(world: World, line: str, run_id: str, escalate_to: Sequence[str]) -> None:
    """Nothing is said of a run that was never asked about."""
    asked = [notice for notice in world.notices(line).records() if notice.run_id == run_id]
    if asked:
        now = datetime.now(UTC)
        tell_once(world, asked[-1], lambda said: _unless_said("timed out", asked[-1], said), now, escalate_to)


def tell(world: World, notice: Notice, escalate_to: Sequence[str]) -> None:
    send(world.settings, _CHANNELS[notice.moment], about(notice, escalate_to))


def tell_once(
    world: World,
    request: Notice,
    what: Callable[[Sequence[Notice]], Moment | None],
    now: datetime,
    escalate_to: Sequence[str],
) -> None:
    """Record, then send: of two who would tell one does, and who is killed between the two has told nobody."""

    def decide(said: Sequence[Notice]) -> Notice | None:
        moment = what(said)
        return request.next(moment, now) if moment else None

    notice = world.notices(request.line).append(decide)
    if notice:
        tell(world, notice, escalate_to)


def _unless_said(moment: Moment, request: Notice, said: Sequence[Notice]) -> Moment | None:
    return None if any(notice.is_of(request) and notice.moment == moment for notice in said) else moment
