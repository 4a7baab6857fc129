"""Each moment of a waiting approval is told once, whoever looks, however often, and whatever dies in between."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from tests.fakes.events import event, model, sha
from tests.fakes.web import web_server

from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.notices import Notice
from ratchet.core.proposal import Proposal
from ratchet.core.refs import FileRef
from ratchet.orchestration.approval import ReleaseApproval
from ratchet.orchestration.reminders import AWAITING_INPUT, RemindApprovers, ask, tell_timed_out

RUN = "weekly-7"
REF = FileRef(uri="store://r", sha256=sha("r"), bytes=1)
PROPOSAL = Proposal(
    line="support",
    release_id="b",
    candidate=model("b"),
    baseline=model("a"),
    bundle=model("bundle"),
    report=REF,
    dataset=REF,
    recipe_sha256=sha("recipe"),
)


class Office:
    """A platform whose two channels are a web server each."""

    def __init__(self, world: World, approvals: list[dict[str, Any]], escalations: list[dict[str, Any]]) -> None:
        self.world = world
        self.approvals = approvals
        self.escalations = escalations

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in (*self.approvals, *self.escalations)]

    def asked(self, hours_ago: float) -> Notice:
        now = datetime.now(UTC)
        asked_at = now - timedelta(hours=hours_ago)
        notice = Notice(
            line="support",
            moment="asked",
            at=asked_at,
            run_id=RUN,
            release_id="b",
            approvers=("mia",),
            page="http://airflow/",
            asked_at=asked_at,
            rejects_at=asked_at + timedelta(hours=72),
        )
        return ask(self.world, notice)[0]

    def look(self, state: str = AWAITING_INPUT) -> None:
        """One run of the monitor DAG's task, while Airflow says this of the task that asks."""

        class Ti:
            def get_task_states(self, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, Any]:
                assert (dag_id, task_ids, run_ids) == ("release_support", ["approve"], [RUN])
                return {RUN: {"approve": state}}

        RemindApprovers(
            task_id="remind",
            line="support",
            approval=("release_support", "approve"),
            reminder_hours=24,
            escalation_hours=48,
            escalate_to=("lead",),
        ).execute({"ti": Ti()})


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    config = tmp_path / "ratchet.toml"
    config.write_text('[notify]\napprovals = "approvers"\nescalations = "leads"\n', "utf-8")
    monkeypatch.setenv("RATCHET_CONFIG", str(config))
    monkeypatch.delenv("RATCHET_SECRETS_DIR", raising=False)
    settings = load()
    settings.secrets.mkdir(parents=True)
    with web_server([200]) as (approvers, to_approvers), web_server([200]) as (leads, to_leads):
        (settings.secrets / "approvers").write_text(f"json://{approvers}/", "utf-8")
        (settings.secrets / "leads").write_text(f"json://{leads}/", "utf-8")
        world = World(settings, settings.scratch)
        world.ledger("support").append(lambda events: event("bootstrap", "a"))
        yield Office(world, to_approvers, to_leads)


def test_before_its_time_nobody_is_reminded(office: Office) -> None:
    office.asked(hours_ago=23)

    office.look()

    assert office.titles == []


def test_the_approvers_are_reminded_once_however_often_somebody_looks(office: Office) -> None:
    office.asked(hours_ago=25)

    for _ in range(3):
        office.look()

    assert [message["title"] for message in office.approvals] == ["b still waits for approval"]
    assert office.escalations == []


def test_an_escalation_goes_to_its_own_channel_and_names_whom(office: Office) -> None:
    office.asked(hours_ago=49)

    for _ in range(2):
        office.look()

    (message,) = office.escalations
    assert "Also told: lead." in message["message"]
    assert office.approvals == []


def test_two_that_look_at_once_send_one_message(office: Office) -> None:
    office.asked(hours_ago=25)
    lookers = [Thread(target=office.look) for _ in range(4)]

    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()

    assert len(office.approvals) == 1


@pytest.mark.parametrize("state", ["failed", "success", "removed", "running"])
def test_a_request_whose_task_does_not_wait_is_passed_over(office: Office, state: str) -> None:
    office.asked(hours_ago=25)

    office.look(state)

    assert office.titles == []


def test_a_service_that_is_away_costs_its_message_and_nothing_else(
    office: Office, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratchet.orchestration.notify.RETRY_SECONDS", 0.01)
    (office.world.settings.secrets / "approvers").write_text("json://127.0.0.1:9/", "utf-8")
    office.asked(hours_ago=25)

    office.look()

    assert "b still waits for approval" in caplog.text
    assert [notice.moment for notice in office.world.notices("support").records()] == ["asked", "reminded"]


def test_a_request_that_is_made_again_keeps_its_clock(office: Office) -> None:
    first = office.asked(hours_ago=10)

    again, is_new = ask(office.world, first.model_copy(update={"asked_at": first.asked_at + timedelta(hours=5)}))

    assert not is_new
    assert again.rejects_at == first.rejects_at


def test_after_an_answer_the_same_run_may_ask_anew(office: Office) -> None:
    first = office.asked(hours_ago=10)
    no = PROPOSAL.event("rejected", at=first.at + timedelta(hours=1), by="mia", note="not yet")
    office.world.ledger("support").append(lambda events: no)
    later = first.at + timedelta(hours=2)

    _, is_new = ask(office.world, first.model_copy(update={"at": later, "asked_at": later}))

    assert is_new


def test_a_time_out_is_told_once_and_one_that_nobody_was_asked_about_never(office: Office) -> None:
    tell_timed_out(office.world, "support", RUN, ())
    office.asked(hours_ago=72)

    for _ in range(2):
        tell_timed_out(office.world, "support", RUN, ())

    assert office.titles == ["Rejected: nobody answered about b"]


def test_a_time_out_rejects_even_where_nobody_can_be_told(office: Office) -> None:
    office.asked(hours_ago=72)
    bucket = office.world.store.bucket.root  # type: ignore[attr-defined]
    (bucket / "notices/support/00000000.json").chmod(0o644)
    (bucket / "notices/support/00000000.json").write_text("torn")
    task = ReleaseApproval(
        task_id="approve",
        subject="s",
        body="b",
        proposal=PROPOSAL.model_dump(mode="json"),
        verdict="PASS",
        approvers=("mia",),
        two_people=False,
        timeout_hours=72,
        escalate_to=(),
    )

    class DagRun:
        triggering_user_name = "eno"

    answer = {
        "chosen_options": ["Reject"],
        "params_input": {"reason": ""},
        "responded_by_user": None,
        "responded_at": datetime.now(UTC),
        "timedout": True,
    }
    ti = SimpleNamespace(dag_id="release_support", start_date=datetime.now(UTC))
    task.execute_complete({"dag_run": DagRun(), "run_id": RUN, "ti": ti}, answer)

    assert office.world.ledger("support").events()[-1].kind == "rejected"
    assert office.titles == []
