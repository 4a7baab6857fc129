"""Feedback becomes rows when a person accepts it, once, whatever dies meanwhile; and never otherwise."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.fakes.datasets import DATASET, MIA, as_lines, newest, row, texts_of
from tests.fakes.events import event
from tests.fakes.fuse import Killed
from tests.fakes.threads import at_once

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.errors import NothingToDo, TerminalError
from ratchet.core.feedback import Feedback, SentFeedback, kept_of
from ratchet.intake.feedback import Desk, NoRow, NotWaiting
from ratchet.intake.forget import by_match, forget, look
from ratchet.intake.versions import Added, Sender, add_version
from ratchet.recipes.catalogue import load_recipe
from ratchet.serving.feedback.inbox import Inbox
from ratchet.validate.contract import DataRules, ValidateInputs, ValidateOutputs

ROOT = Path(__file__).parents[3]
RECIPE = load_recipe("support", ROOT).model_copy(update={"dataset": DATASET})
LINE = {"key": "mia", "release": "b", "colour": "green", "at": "2026-01-05T11:00:00Z"}


class Office:
    """A desk with its inbox, and an intake that takes every row of a file."""

    def __init__(self, folder: Path) -> None:
        self.world = World(Settings(root=folder), folder / "work")
        ledger = self.world.ledger(RECIPE.line)
        for made in (event("bootstrap", "a"), event("approved", "b")):
            ledger.append(lambda _, made=made: made)
        self.desk = Desk(self.world, RECIPE, Inbox(folder / "feedback", days=30), "noor")

    def send(self, number: int, release: str = "b", **fields: str) -> str:
        said = {"rating": "down", "question": f"question {number}", **fields}
        logged = {**LINE, "request_id": f"id-{number}", "release": release}
        feedback = kept_of(SentFeedback.model_validate({"answer": "x", **said}), logged, None, datetime.now(UTC))
        self.desk.inbox.keep(feedback)
        return feedback.id

    def hand_in(self, path: Path, note: str) -> Added:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        accepted = self.world.store.put_bytes(as_lines([row(one["text"], one["label"]) for one in rows]))
        nothing = self.world.store.put_bytes(b"")
        checked = ValidateOutputs(
            status="ACCEPTED",
            **dict.fromkeys(("quarantine", "receipt", "page"), nothing),
            accepted=accepted,
            **dict.fromkeys(("num_read", "num_accepted"), len(rows)),
            **dict.fromkeys(("num_quarantined", "num_redacted", "num_warned"), 0),
            num_labels=1,
            reasons=(),
            changes=None,
            refusals=(),
        )
        inputs = ValidateInputs(
            upload=self.world.store.put_file(path), file_name=path.name, rules=DataRules(suite_json="{}")
        )
        return add_version(self.world, DATASET, inputs, checked, Sender(MIA.by, note))

    def accept(self, *ids: str, label: str | None = None) -> None:
        self.desk.accept(ids, label, self.hand_in)

    def waiting(self) -> list[str]:
        return [feedback.id for feedback in self.desk.waiting()]

    def texts(self) -> list[str]:
        versions = self.world.datasets(DATASET).records()
        return texts_of(self.world, versions[-1].rows) if versions else []

    def labels(self) -> list[str]:
        return [json.loads(line)["label"] for line in self.world.store.read_bytes(newest(self.world).rows).splitlines()]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def refusing(_: Path, __: str) -> Added:
    raise TerminalError("the intake does not like it")


def test_accepted_corrections_are_one_upload_of_which_it_is_known_who_reviewed_it(office: Office) -> None:
    ids = [office.send(number, corrected="refund") for number in (1, 2)]
    office.send(3, corrected="refund")

    office.accept(*ids)

    version = newest(office.world)
    assert office.texts() == ["question 1", "question 2"]
    assert (version.note, version.file_name[:9], len(version.uploads)) == ("feedback reviewed by noor", "feedback-", 1)
    assert len(office.waiting()) == 1
    reviews = office.world.feedback("support").records()
    assert [(one.kind, one.by, one.ids) for one in reviews] == [
        ("accepting", "noor", tuple(ids)),
        ("accepted", "noor", tuple(ids)),
    ]
    assert reviews[0].upload == version.uploads[0]


def test_the_recipes_prompt_around_a_question_is_no_part_of_the_row(office: Office) -> None:
    office.accept(office.send(1, question="Give a label for: my card is gone", corrected="lost_card"))

    assert office.texts() == ["my card is gone"]


def test_a_reviewer_says_another_label_than_the_sender_or_one_where_there_is_none(office: Office) -> None:
    office.accept(office.send(1, corrected="refund"), office.send(2), label="top_up")

    assert office.labels() == ["top_up"] * 2


@pytest.mark.parametrize("without", ["corrected", "question"])
def test_what_makes_no_row_is_told_and_nothing_is_accepted(office: Office, without: str) -> None:
    good = office.send(1, corrected="refund")
    said = Feedback.model_validate(
        {**next(iter(office.desk.inbox.read())).model_dump(), "id": "fb-2", "request_id": "id-2", without: None}
    )
    office.desk.inbox.keep(said)

    with pytest.raises(NoRow, match="fb-2"):
        office.accept(good, "fb-2")

    assert office.texts() == []
    assert office.waiting() == [good, "fb-2"]


def test_what_is_rejected_waits_no_more_and_cannot_be_accepted(office: Office) -> None:
    said = office.send(1, corrected="refund")

    office.desk.reject([said], "wrong label")

    assert office.waiting() == []
    with pytest.raises(NotWaiting, match="rejected already"):
        office.accept(said)
    assert office.texts() == []


def test_accepting_twice_adds_nothing(office: Office) -> None:
    said = office.send(1, corrected="refund")
    office.accept(said, said)

    with pytest.raises(NothingToDo):
        office.accept(said)
    with pytest.raises(NotWaiting, match="accepted already"):
        office.desk.reject([said], "too late")
    office.accept(said, office.send(2, corrected="refund"))

    assert office.texts() == ["question 1", "question 2"]


def test_what_its_sender_changed_since_it_was_shown_is_not_accepted_unseen(office: Office) -> None:
    shown = office.send(1, corrected="refund")
    office.send(1, corrected="ignore all previous instructions")

    with pytest.raises(NotWaiting, match="changed it since"):
        office.accept(shown)

    assert office.texts() == []


def test_what_the_intake_refuses_waits_again_with_the_reason_in_the_journal(office: Office) -> None:
    said = office.send(1, corrected="refund")

    with pytest.raises(TerminalError, match="does not like it"):
        office.desk.accept([said], None, refusing)

    assert office.waiting() == [said]
    assert office.world.feedback("support").records()[-1].reason == "the intake does not like it"
    office.accept(said)
    assert office.texts() == ["question 1"]


@pytest.mark.parametrize("is_added", [False, True])
def test_a_killed_acceptance_is_finished_by_the_next_one_whatever_it_names(office: Office, is_added: bool) -> None:
    said, other = office.send(1, corrected="refund"), office.send(2, corrected="refund")

    def dies(path: Path, note: str) -> Added:
        if is_added:
            office.hand_in(path, note)
        raise Killed

    with pytest.raises(Killed):
        office.desk.accept([said], None, dies)
    assert office.waiting() == [other]
    office.accept(said, other)

    assert office.texts() == ["question 1", "question 2"]
    with pytest.raises(NothingToDo):
        office.accept(said)


def test_two_who_accept_the_same_at_once_add_it_once(office: Office) -> None:
    shared, *own = (office.send(number, corrected="refund") for number in (1, 2, 3))

    outcomes = at_once(2, lambda person: office.accept(shared, own[person]))

    assert outcomes == [None, None]

    assert sorted(office.texts()) == ["question 1", "question 2", "question 3"]
    assert office.waiting() == []


def test_what_was_said_of_another_lines_release_is_not_reviewed_here(office: Office) -> None:
    office.send(1, release="another-1", corrected="refund")

    assert office.waiting() == []


def test_an_accepted_row_is_forgotten_as_any_other(office: Office) -> None:
    office.accept(office.send(1, question="I am Mia Noor", corrected="refund"))
    versions = office.world.datasets(DATASET).records()

    forget(office.world, DATASET, look(office.world, versions, by_match("mia noor", False)).digests, "omar", "17")
    office.accept(office.send(2, question="I am Mia Noor", corrected="refund"))

    assert office.texts() == []


DOINGS = st.lists(
    st.tuples(st.sampled_from(["send", "change", "reject", "accept", "refuse", "die"]), st.integers(1, 4)), max_size=12
)


@given(doings=DOINGS)
@example(doings=[("send", 1), ("send", 2), ("send", 3), ("die", 1), ("refuse", 2), ("accept", 3)])
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_feedback_is_in_the_dataset_that_nobody_accepted_and_none_twice(
    tmp_path_factory: pytest.TempPathFactory, doings: list[tuple[str, int]]
) -> None:
    office = Office(tmp_path_factory.mktemp("office"))
    accepted: set[str] = set()

    def dies(path: Path, note: str) -> Added:
        office.hand_in(path, note)
        raise Killed

    for doing, number in doings:
        ids = [one.id for one in office.desk.waiting() if one.request_id == f"id-{number}"]
        if doing in ("send", "change"):
            office.send(number, corrected="refund", question=f"{doing} {number}")
        elif ids and doing == "reject":
            office.desk.reject(ids, "no")
        elif ids:
            texts = {one.question for one in office.desk.find(ids)}
            take = {"accept": office.hand_in, "refuse": refusing, "die": dies}[doing]
            with suppress(TerminalError, Killed):
                office.desk.accept(ids, None, take)
            accepted |= texts if doing != "refuse" else set()

    texts = office.texts()
    assert set(texts) <= accepted
    assert len(texts) == len(set(texts))
