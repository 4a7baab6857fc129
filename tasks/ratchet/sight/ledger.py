"""The ledger: what is in production, since when, what happened before, and who is waited for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from prometheus_client.metrics_core import Metric

from ratchet.clients.world import World
from ratchet.core.notices import Notice, open_requests
from ratchet.core.releases import EventKind, LedgerEvent, Production, production, under_way
from ratchet.sight.families import counters, gauge, gauges, seconds

KINDS: tuple[EventKind, ...] = get_args(EventKind)


@dataclass(frozen=True)
class LedgerFacts:
    """`period_seconds`: how often a release is due. `patience_seconds`: when a request for approval is escalated."""

    line: str
    events: Sequence[LedgerEvent]
    notices: Sequence[Notice]
    now: datetime
    period_seconds: float
    patience_seconds: float


def gather(world: World, line: str, now: datetime, period_seconds: float, patience_seconds: float) -> LedgerFacts:
    events, notices = world.ledger(line).events(), world.notices(line).records()
    return LedgerFacts(line, events, notices, now, period_seconds, patience_seconds)


def families(facts: LedgerFacts) -> list[Metric]:
    line, live = facts.line, production(facts.events)
    waiting = open_requests(facts.notices, facts.events, facts.now)
    moving = under_way(facts.events, facts.now) is not None
    return [
        gauges(
            line,
            "ratchet_production_info",
            "What is in production, as the ledger says. Always 1.",
            ("release", "model"),
            {(live.release_id, live.model.sha256[:12]): 1.0} if live else {},
        ),
        gauge(
            line,
            "ratchet_production_timestamp_seconds",
            "When the model in production first went live; a roll-back goes back to its release's own time.",
            seconds(_first_live(facts.events, live)),
        ),
        gauge(line, "ratchet_release_period_seconds", "How often a release is due.", facts.period_seconds),
        counters(
            line,
            "ratchet_ledger_events",
            "Events of the ledger by kind: promoted, rolled_back, aborted, rejected and the others.",
            ("kind",),
            {(kind,): float(count) for kind, count in _counted(facts.events).items()},
        ),
        gauges(
            line,
            "ratchet_ledger_last_event_timestamp_seconds",
            "When the last event of this kind happened.",
            ("kind",),
            {(event.kind,): seconds(event.at) for event in facts.events},
        ),
        gauge(line, "ratchet_promotion_under_way", "Are users being moved to another release?", float(moving)),
        gauge(line, "ratchet_approvals_waiting", "Releases that wait for a person.", float(len(waiting))),
        gauge(
            line,
            "ratchet_approval_requested_timestamp_seconds",
            "When the oldest open request for approval was sent.",
            seconds(min((request.asked_at for request in waiting), default=None)),
        ),
        gauge(
            line,
            "ratchet_approval_patience_seconds",
            "How long a request may wait: the recipe's approval_escalation_hours.",
            facts.patience_seconds,
        ),
    ]


def _counted(events: Sequence[LedgerEvent]) -> Counter[str]:
    return Counter({**dict.fromkeys(KINDS, 0), **Counter(event.kind for event in events)})


def _first_live(events: Sequence[LedgerEvent], live: Production | None) -> datetime | None:
    if live is None:
        return None
    same = (
        event.at
        for event in events
        if event.kind in ("bootstrap", "promoted")
        and (event.release_id, event.model.sha256) == (live.release_id, live.model.sha256)
    )
    return next(same, None)
