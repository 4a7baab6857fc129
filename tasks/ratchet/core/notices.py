"""What people were told about a release that waits for approval, and what they are to be told next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, NonNegativeInt

from ratchet.core.contract import Contract
from ratchet.core.releases import LedgerEvent

Moment = Literal["asked", "reminded", "escalated", "timed out"]


class Notice(Contract):
    """One message. It is recorded before it is sent: who finds it here does not send it again. `seq` is the journal's.

    `approvers` were asked at `asked_at`, on `page`; at `rejects_at` their silence becomes a no. Those are the same in
    every notice of one request.
    """

    schema_version: Literal[1] = 1
    line: str
    seq: NonNegativeInt = 0
    moment: Moment
    at: AwareDatetime
    run_id: str
    release_id: str
    approvers: tuple[str, ...]
    page: str
    asked_at: AwareDatetime
    rejects_at: AwareDatetime

    def next(self, moment: Moment, at: datetime) -> "Notice":
        """A further notice of the same request."""
        return self.model_copy(update={"moment": moment, "at": at})

    def is_of(self, request: "Notice") -> bool:
        return (self.run_id, self.asked_at) == (request.run_id, request.asked_at)


@dataclass(frozen=True)
class Patience:
    """How long after the request people are reminded, and others are told."""

    reminder_hours: float
    escalation_hours: float


def open_requests(notices: Sequence[Notice], events: Sequence[LedgerEvent], now: datetime) -> list[Notice]:
    """The requests without an answer, oldest first: of each run the newest, while its time is not over."""
    newest = {notice.run_id: notice for notice in notices if notice.moment == "asked"}
    return [request for request in newest.values() if now < request.rejects_at and not _is_answered(request, events)]


def due(request: Notice, notices: Sequence[Notice], patience: Patience, now: datetime) -> Moment | None:
    """What is to be said now. After an outage that outlasted the reminder only the escalation is."""
    said = {notice.moment for notice in notices if notice.is_of(request)}
    waited = now - request.asked_at
    if waited >= timedelta(hours=patience.escalation_hours):
        return None if "escalated" in said else "escalated"
    if waited >= timedelta(hours=patience.reminder_hours):
        return None if "reminded" in said else "reminded"
    return None


def _is_answered(request: Notice, events: Sequence[LedgerEvent]) -> bool:
    return any(
        event.kind in ("approved", "rejected")
        and event.release_id == request.release_id
        and event.at >= request.asked_at
        for event in events
    )
