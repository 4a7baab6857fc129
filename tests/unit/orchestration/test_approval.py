"""A person's answer becomes one ledger event, bound to what was shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.proposal import Proposal
from ratchet.core.refs import FileRef, FolderRef
from ratchet.core.releases import LedgerEvent
from ratchet.orchestration.approval import TIMED_OUT, Answer, answer_of, may_answer, record, unexplained

NOW = datetime(2026, 1, 6, tzinfo=UTC)


def folder(letter: str) -> FolderRef:
    return FolderRef(uri=f"store://{letter}", sha256=letter * 64, bytes=1)


def file(letter: str) -> FileRef:
    return FileRef(uri=f"store://{letter}", sha256=letter * 64, bytes=1)


PROPOSAL = Proposal(
    line="support",
    release_id="support-1",
    candidate=folder("a"),
    baseline=folder("b"),
    bundle=folder("c"),
    report=file("d"),
    dataset=file("e"),
    recipe_sha256="f" * 64,
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(Settings(root=tmp_path), tmp_path / "work")
    first = LedgerEvent(
        line="support",
        kind="bootstrap",
        at=datetime(2026, 1, 5, tzinfo=UTC),
        by="platform",
        release_id="support-base",
        model=folder("b"),
    )
    world.ledger("support").append(lambda events: None if events else first)
    return world


def test_an_approval_is_written_with_its_author_reason_and_digests(world: World) -> None:
    record(world, PROPOSAL, Answer("approved", by="mia", reason="the gate passed", at=NOW), asked_by="eno")

    event = world.ledger("support").events()[-1]
    assert (event.kind, event.by, event.note) == ("approved", "mia", "the gate passed")
    assert event.asked_by == "eno"
    assert event.evidence == PROPOSAL.evidence


def test_a_task_that_is_run_again_does_not_approve_twice(world: World) -> None:
    for _ in range(2):
        record(world, PROPOSAL, Answer("approved", by="mia", reason="", at=NOW), asked_by="eno")

    assert [event.kind for event in world.ledger("support").events()] == ["bootstrap", "approved"]


def test_the_same_release_can_be_approved_again_after_a_roll_back(world: World) -> None:
    for hours in (0, 5):
        record(
            world, PROPOSAL, Answer("approved", by="mia", reason="", at=NOW + timedelta(hours=hours)), asked_by="eno"
        )

    assert [event.kind for event in world.ledger("support").events()] == ["bootstrap", "approved", "approved"]


@pytest.mark.parametrize(
    ("kind", "verdict", "reason", "stands"),
    [
        ("approved", "PASS", "", True),
        ("approved", "INCONCLUSIVE", "", False),
        ("approved", "INCONCLUSIVE", "  ", False),
        ("approved", "INCONCLUSIVE", "the slices look fine", True),
        ("rejected", "INCONCLUSIVE", "", True),
    ],
)
def test_an_override_needs_a_written_reason(kind: Any, verdict: Any, reason: str, stands: bool) -> None:
    problem = unexplained(Answer(kind, by="mia", reason=reason, at=NOW), verdict)

    assert (problem is None) == stands


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        (
            {
                "chosen_options": ["Approve"],
                "responded_by_user": {"id": "7", "name": "mia"},
                "params_input": {"reason": "x"},
            },
            Answer("approved", "mia", "x", NOW),
        ),
        (
            {"chosen_options": ["Reject"], "responded_by_user": {"id": "7", "name": "mia"}, "params_input": {}},
            Answer("rejected", "mia", "", NOW),
        ),
        ({"chosen_options": ["Reject"], "responded_by_user": None}, Answer("rejected", TIMED_OUT, "", NOW)),
    ],
)
def test_airflows_answer_is_read_as_kind_author_and_reason(event: dict[str, Any], answer: Answer) -> None:
    assert answer_of({**event, "responded_at": NOW}) == answer


def test_with_two_people_whoever_started_the_run_is_not_asked() -> None:
    assert may_answer(("mia", "noor"), True, "mia") == ("noor",)
    assert may_answer(("mia", "noor"), False, "mia") == ("mia", "noor")
    assert may_answer(("mia",), True, "") == ("mia",)  # started by its schedule


def test_a_run_whose_only_approver_started_it_says_what_to_do() -> None:
    with pytest.raises(AirflowFailException, match="mia started this run and is its only approver"):
        may_answer(("mia",), True, "mia")
