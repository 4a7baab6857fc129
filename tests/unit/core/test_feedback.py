"""What is kept of feedback, what of it waits, and how a question becomes a row's text."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from ratchet.core.feedback import (
    Feedback,
    FeedbackReview,
    SentFeedback,
    asked_in,
    decided_ids,
    kept_of,
    newest_of_each,
    request_id_of,
    unfinished,
    waiting,
)

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
LOGGED = {"request_id": "id-1", "key": "mia", "release": "b", "colour": "green", "at": "2026-01-05T11:00:00Z"}
CAPTURED = {"prompt": [{"role": "user", "content": "where is it"}], "answer": ["card_arrival"]}


def said(minutes: int = 0, request_id: str = "id-1", captured: dict[str, Any] | None = None, **fields: Any) -> Feedback:
    sent = SentFeedback(**{"answer": request_id, "rating": "down", **fields})
    return kept_of(sent, {**LOGGED, "request_id": request_id}, captured, AT + timedelta(minutes=minutes))


def review(seq: int, kind: Any, *ids: str, ends: int | None = None) -> FeedbackReview:
    return FeedbackReview(line="support", seq=seq, at=AT, by="noor", kind=kind, ids=ids, ends=ends)


@pytest.mark.parametrize("answer", ["id-1", "chatcmpl-id-1", "cmpl-id-1"])
def test_an_answers_id_holds_its_requests(answer: str) -> None:
    assert request_id_of(answer) == "id-1"


def test_a_request_may_be_called_as_answers_are() -> None:
    assert request_id_of("chatcmpl-cmpl-7") == "cmpl-7"


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer": ""},
        {"answer": "x" * 257},
        {"rating": "meh"},
        {"rating": "up", "corrected": "refund"},
        {"corrected": "  "},
        {"comment": "a\0b"},
        {"label": "refund"},
    ],
)
def test_what_is_no_feedback_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SentFeedback(**{"answer": "x", "rating": "down", **wrong})


def test_every_text_is_redacted_and_its_line_breaks_stay() -> None:
    told = said(corrected="write to mia@example.org", comment="a\nb", question="call 030 1234567")

    assert (told.corrected, told.comment, told.question) == ("write to [email]", "a\nb", "call [phone]")


def test_of_a_captured_answer_the_question_is_known() -> None:
    assert (said(captured=CAPTURED).question, said(captured=CAPTURED).answered) == ("where is it", "card_arrival")
    assert said(captured=CAPTURED, question="in other words").question == "in other words"
    assert (said().question, said().answered) == (None, None)


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("a text", "a text"),
        ([{"role": "user", "content": "hi"}], "hi"),
        ([{"role": "assistant", "content": "hi"}], None),
        ([{"role": "user", "content": ["hi", "[image_url]"]}], None),
        ([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}], None),
        (["one", "two"], None),
        (["one"], None),
        (None, None),
    ],
)
def test_only_a_single_question_is_one(prompt: Any, question: str | None) -> None:
    assert asked_in(prompt) == question


def test_the_same_said_again_has_the_same_id_and_another_word_another() -> None:
    assert said(1, corrected="refund").id == said(2, corrected="refund").id
    assert said(corrected="refund").id != said(corrected="top_up").id
    assert said().id != said(request_id="id-2").id


def test_of_one_request_the_newest_waits() -> None:
    first, other, changed = said(1), said(2, "id-2"), said(3, corrected="refund")

    assert newest_of_each([changed, first, other]) == [other, changed]
    assert waiting([first, other, changed], []) == [other, changed]


def test_praise_waits_for_nobody_and_takes_back_what_was_said_before() -> None:
    assert waiting([said(1), said(2, rating="up")], []) == []
    assert waiting([said(1, rating="up"), said(2)], []) == [said(2)]


def test_what_was_decided_waits_no_more_unless_the_intake_returned_it() -> None:
    a, b, c, d = (said(n, f"id-{n}") for n in range(4))
    claimed = [review(0, "accepting", a.id), review(1, "accepted", a.id, ends=0)]
    refused = [review(2, "accepting", b.id), review(3, "returned", b.id, ends=2)]
    reviews = [*claimed, *refused, review(4, "rejected", c.id), review(5, "accepting", d.id)]

    assert waiting([a, b, c, d], reviews) == [b]
    assert decided_ids(reviews) == {a.id: "accepted", c.id: "rejected", d.id: "accepting"}
    assert [claim.seq for claim in unfinished(reviews)] == [5]


def test_feedback_that_was_changed_after_its_review_waits_again() -> None:
    first, changed = said(1), said(2, corrected="refund")

    assert waiting([first, changed], [review(0, "rejected", first.id)]) == [changed]
