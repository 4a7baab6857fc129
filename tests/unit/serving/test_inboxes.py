"""Where feedback waits for a person: a laptop's folder and a cluster's store keep it by the same rules."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ratchet.clients.bucket import LocalBucket
from ratchet.clients.settings import Settings
from ratchet.clients.store import Store
from ratchet.clients.world import World
from ratchet.core.feedback import Feedback, SentFeedback, kept_of
from ratchet.serving.feedback.inbox import FeedbackInbox, Inbox
from ratchet.serving.feedback.store_inbox import StoreInbox, inbox_of_line

DAYS = 30
LINE = {"request_id": "id-1", "key": "mia", "release": "b", "colour": "green", "at": "2026-01-05T11:00:00Z"}
NOW = datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(LocalBucket(tmp_path / "store"), tmp_path / "scratch")


@pytest.fixture(params=["folder", "store"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path, store: Store) -> FeedbackInbox:
    return Inbox(tmp_path / "feedback", DAYS) if request.param == "folder" else StoreInbox(store, "support", DAYS)


def said(at: datetime = NOW, key: str = "mia", **fields: str) -> Feedback:
    sent = SentFeedback.model_validate({"answer": "id-1", "rating": "down", **fields})
    return kept_of(sent, {**LINE, "key": key}, None, at)


def test_what_is_kept_is_read_as_it_was(inbox: FeedbackInbox) -> None:
    feedback = said(comment="wrong", corrected="refund")
    inbox.keep(feedback)

    assert list(inbox.read()) == [feedback]


def test_the_same_again_is_kept_once_and_what_was_said_before_something_else_counts_again(inbox: FeedbackInbox) -> None:
    told = ("one", "one", "two", "two", "one")
    for seconds, comment in enumerate(told):
        inbox.keep(said(NOW + timedelta(seconds=seconds), comment=comment))

    kept = sorted(inbox.read(), key=lambda one: one.at)
    assert [one.comment for one in kept] == ["one", "two", "one"]


def test_two_who_chose_the_same_request_id_are_kept_apart(inbox: FeedbackInbox) -> None:
    for key in ("mia", "ben", "mia"):
        inbox.keep(said(key=key))

    assert sorted(one.key or "" for one in inbox.read()) == ["ben", "mia"]


@pytest.mark.parametrize(("days", "is_kept"), [(0, True), (DAYS - 1, True), (DAYS, False), (400, False)])
def test_it_is_forgotten_after_its_days(store: Store, days: int, is_kept: bool) -> None:
    inbox = StoreInbox(store, "support", DAYS)
    inbox.keep(said(datetime.now(UTC) - timedelta(days=days)))

    inbox.forget_old()

    assert bool(list(inbox.read())) is is_kept


def test_another_lines_is_neither_read_nor_forgotten(store: Store) -> None:
    other = StoreInbox(store, "refunds", DAYS)
    other.keep(said(NOW - timedelta(days=400)))

    inbox = StoreInbox(store, "support", DAYS)
    inbox.forget_old()

    assert list(inbox.read()) == []
    assert len(list(other.read())) == 1


def test_what_is_broken_hides_nothing_else(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    inbox = StoreInbox(store, "support", DAYS)
    store.create("inbox/support/0/20260105T000000.000000-fb-0.json", {"planted": "text"})
    inbox.keep(said())

    assert len(list(inbox.read())) == 1
    assert "planted" not in caplog.text


@pytest.mark.parametrize(("runtime", "kind"), [("process", Inbox), ("kubernetes", StoreInbox)])
def test_a_cluster_keeps_it_in_the_store_which_all_reach(
    tmp_path: Path, runtime: str, kind: Callable[..., FeedbackInbox]
) -> None:
    places = {"store": {"kind": "s3", "bucket": "b"}, "tracking_uri": "http://mlflow:5000"}
    settings = Settings.model_validate({"root": tmp_path, "runtime": runtime, **places})

    assert isinstance(inbox_of_line(World(settings, tmp_path), "support_v2"), kind)  # type: ignore[arg-type]
