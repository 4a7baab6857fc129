"""Who waits for approval is reminded once, others are told once, and whoever was answered is left alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.fakes.events import event

from ratchet.core.notices import Notice, Patience, due, open_requests

ASKED_AT = datetime(2026, 1, 6, tzinfo=UTC)
PATIENCE = Patience(reminder_hours=24, escalation_hours=48)


def after(hours: float) -> datetime:
    return ASKED_AT + timedelta(hours=hours)


def request(**changes: Any) -> Notice:
    fields = {
        "line": "support",
        "moment": "asked",
        "at": ASKED_AT,
        "run_id": "run-1",
        "release_id": "b",
        "approvers": ("mia",),
        "page": "http://airflow/",
        "asked_at": ASKED_AT,
        "rejects_at": after(72),
    }
    return Notice.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    ("hours", "said", "expected"),
    [
        (23.9, (), None),
        (24, (), "reminded"),
        (24.1, ("reminded",), None),
        (47.9, ("reminded",), None),
        (48, ("reminded",), "escalated"),
        (60, ("reminded", "escalated"), None),
        (60, (), "escalated"),  # the platform was down at the time of the reminder: one message, not two
        (60, ("escalated",), None),
    ],
)
def test_each_moment_has_one_message(hours: float, said: tuple[Any, ...], expected: str | None) -> None:
    notices = [request(), *(request().next(moment, after(hours)) for moment in said)]

    assert due(request(), notices, PATIENCE, after(hours)) == expected


def test_what_was_said_of_another_request_does_not_count() -> None:
    other_run = request(run_id="run-2").next("reminded", after(1))
    asked_before = request(asked_at=after(-100)).next("reminded", after(-50))

    assert due(request(), [other_run, asked_before, request()], PATIENCE, after(24)) == "reminded"


@pytest.mark.parametrize(
    ("hours", "events", "is_open"),
    [
        (71.9, [], True),
        (72, [], False),  # the scheduler rejects it now
        (1, [event("approved", "b", at=after(0.5))], False),
        (1, [event("rejected", "b", at=after(0.5))], False),
        (1, [event("rejected", "b", at=after(-1))], True),  # the answer to an earlier request of the same release
        (1, [event("rejected", "c", at=after(0.5))], True),
        (1, [event("promoted", "b", at=after(0.5))], True),
    ],
)
def test_a_request_is_open_until_it_is_answered_or_its_time_is_over(hours: float, events: Any, is_open: bool) -> None:
    assert bool(open_requests([request()], events, after(hours))) == is_open


def test_a_run_that_asked_again_has_its_newest_request_alone() -> None:
    again = request(release_id="c", asked_at=after(80), at=after(80), rejects_at=after(152))

    assert open_requests([request(), again], [], after(81)) == [again]
