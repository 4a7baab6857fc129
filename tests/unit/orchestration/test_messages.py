"""What people read says what waits, since when, and what to do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ratchet.core.notices import Notice
from ratchet.orchestration.messages import about

ASKED_AT = datetime(2026, 1, 6, 12, tzinfo=UTC)
ASKED = Notice(
    line="support",
    moment="asked",
    at=ASKED_AT,
    run_id="weekly-7",
    release_id="support-1",
    approvers=("mia", "noor"),
    page="http://airflow/dags/release_support",
    asked_at=ASKED_AT,
    rejects_at=ASKED_AT + timedelta(hours=72),
)


def told(moment: Any, hours: float) -> str:
    message = about(ASKED.next(moment, ASKED_AT + timedelta(hours=hours)), escalate_to=("lead",))
    return f"{message.title}\n{message.body}"


@pytest.mark.parametrize(("moment", "hours"), [("asked", 0), ("reminded", 24), ("escalated", 48)])
def test_whoever_is_waited_for_reads_how_to_answer_and_what_silence_does(moment: Any, hours: float) -> None:
    text = told(moment, hours)

    assert "weekly-7" in text
    assert "mia or noor" in text
    for command in ("ratchet report support-1", "ratchet approve support-1", "ratchet reject support-1 --reason"):
        assert f"`{command}" in text
    assert "http://airflow/dags/release_support" in text
    assert "rejected and unloaded at 2026-01-09 12:00 UTC" in text


def test_a_reminder_says_for_how_long_it_waits() -> None:
    assert "for 24.5 h now, since 2026-01-06 12:00 UTC" in told("reminded", 24.5)
    assert "now, since" not in told("asked", 0)


def test_only_an_escalation_names_whom_else_it_goes_to() -> None:
    assert "Also told: lead." in told("escalated", 48)
    assert "lead" not in told("asked", 0) + told("reminded", 24)


def test_a_time_out_says_what_happened_and_how_to_be_asked_again() -> None:
    text = told("timed out", 72)

    assert "nobody answered about support-1" in text
    assert "waited 72.0 h for mia or noor and was rejected" in text
    assert "`ratchet retrain`" in text
    assert "ratchet approve" not in text
