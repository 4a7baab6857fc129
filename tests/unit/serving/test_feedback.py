"""The service that takes feedback: what it asks of a request, where it keeps it, and what nobody may learn from it."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ratchet.core.feedback import Feedback
from ratchet.serving.feedback.app import Taker, application
from ratchet.serving.feedback.inbox import Inbox, feedback_counts

LINE = {
    "at": "2026-01-05T12:30:00.000Z",
    "request_id": "id-1",
    "key": "mia",
    "path": "/v1/chat/completions",
    "status": 200,
    "colour": "green",
    "release": "b",
}


class Client:
    """Sends as the edge does for the key mia."""

    def __init__(self, taker: Taker) -> None:
        self.app = application(taker)

    def post(self, content: bytes) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await client.post("/v1/feedback", content=content, headers={"x-ratchet-key": "mia"})

        return asyncio.run(ask())


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "feedback", days=30)


@pytest.fixture
def client(tmp_path: Path, inbox: Inbox) -> Client:
    taker = Taker(inbox, logs=tmp_path / "logs", capture=tmp_path / "capture", logged_seconds=0)
    logged(tmp_path, LINE)
    return Client(taker)


def logged(home: Path, *lines: dict[str, Any], name: str = "access.log") -> None:
    (home / "logs").mkdir(exist_ok=True)
    with (home / "logs" / name).open("a") as log:
        log.writelines(json.dumps(line) + "\n" for line in lines)


def send(client: Client, **fields: Any) -> httpx.Response:
    return client.post(json.dumps({"answer": "id-1", "rating": "down", **fields}).encode())


def test_feedback_waits_with_the_release_of_its_answer(client: Client, inbox: Inbox) -> None:
    told = send(client, answer="chatcmpl-id-1", comment="wrong")

    assert told.status_code == 202
    (kept,) = inbox.read()
    assert (kept.id, kept.release, kept.key, kept.comment) == (told.json()["id"], "b", "mia", "wrong")
    assert kept.answered_at == datetime(2026, 1, 5, 12, 30, tzinfo=UTC)


def test_praise_is_counted(client: Client, inbox: Inbox) -> None:
    assert send(client, rating="up").json()["status"] == "counted"
    assert feedback_counts(inbox) == {("b", "up"): 1}


def test_an_answer_of_a_log_that_was_rotated_is_known(client: Client, tmp_path: Path) -> None:
    logged(tmp_path, {**LINE, "request_id": "id-0"}, name="access.log.1")

    assert send(client, answer="id-0").status_code == 202


@pytest.mark.parametrize(
    "line",
    [
        {"key": "ben"},  # somebody else's
        {"status": 429, "release": None},
        {"path": "/v1/models"},
        {"path": "/v1/feedback", "status": 202},
        {"release": None},
    ],
)
def test_of_what_was_no_answer_to_this_key_nothing_is_taken(
    client: Client, tmp_path: Path, inbox: Inbox, line: dict[str, Any]
) -> None:
    logged(tmp_path, {**LINE, "request_id": "id-2", **line})

    assert send(client, answer="id-2").json()["error"]["code"] == "answer_not_found"
    assert list(inbox.read()) == []


def test_two_who_chose_the_same_request_id_each_have_their_answer(client: Client, tmp_path: Path) -> None:
    logged(tmp_path, {**LINE, "key": "ben", "release": "c"})

    assert send(client).json()["release"] == "b"


def test_an_answer_from_before_there_were_keys_is_anybodys_who_has_one(client: Client, tmp_path: Path) -> None:
    logged(tmp_path, {**LINE, "request_id": "id-3", "key": None})

    assert send(client, answer="id-3").status_code == 202


def test_the_question_of_a_captured_answer_is_kept_with_it(client: Client, tmp_path: Path, inbox: Inbox) -> None:
    (tmp_path / "capture").mkdir()
    record = {"request_id": "id-1", "release": "b", "key": "mia", "prompt": "where is it", "answer": ["refund"]}
    others = {**record, "key": "ben", "prompt": "not yours"}
    (tmp_path / "capture" / "2026-01-05-green.jsonl").write_text(json.dumps(record) + "\n" + json.dumps(others) + "\n")

    send(client, corrected="card_arrival")

    (kept,) = inbox.read()
    assert (kept.question, kept.answered, kept.corrected) == ("where is it", "refund", "card_arrival")


def test_what_is_sent_again_is_kept_once_and_what_is_changed_replaces_it(client: Client, inbox: Inbox) -> None:
    ids = [send(client, **fields).json()["id"] for fields in ({}, {}, {"corrected": "refund"}, {"corrected": "refund"})]

    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert [kept.id for kept in inbox.read()] == [ids[0], ids[2]]
    assert feedback_counts(inbox) == {("b", "down"): 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"answer": "id-1", "rating": "down", "comment": "\\ud800"}',
        b'{"answer": "id-1", "rating": "down", "comment": "\\u0000"}',
        b"[" * 60_000,
        b'{"answer": 7, "rating": "down"}',
    ],
)
def test_what_is_no_feedback_is_told_so(client: Client, inbox: Inbox, body: bytes) -> None:
    told = client.post(body)

    assert (told.status_code, told.json()["error"]["code"]) == (400, "invalid_feedback")
    assert list(inbox.read()) == []


def test_a_folder_that_cannot_be_written_is_told_to_the_sender_and_to_the_log_without_the_text(
    client: Client, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    inbox.folder.write_text("in the way")

    told = send(client, comment="planted")

    assert (told.status_code, told.json()["error"]["type"]) == (503, "server_error")
    assert "planted" not in caplog.text


def test_old_days_go_when_a_new_one_comes(inbox: Inbox, client: Client) -> None:
    today = datetime.now(UTC).date()
    inbox.folder.mkdir()
    for days in (29, 30, 400):
        (inbox.folder / f"{today - timedelta(days=days)}-feedback.jsonl").touch()

    send(client)

    days_kept = {(today - date.fromisoformat(path.name[:10])).days for path in inbox.folder.iterdir()}
    assert max(days_kept) == 29


def test_a_broken_line_hides_no_other(client: Client, inbox: Inbox) -> None:
    send(client)
    (path,) = inbox.folder.iterdir()
    path.write_bytes(b'{"id": "half\n' + path.read_bytes())

    assert [type(one) for one in inbox.read()] == [Feedback]


def test_a_day_that_goes_while_it_is_read_hides_no_other(
    client: Client, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client)
    there = list(inbox.folder.glob("*.jsonl"))
    monkeypatch.setattr(Path, "glob", lambda *_: iter([inbox.folder / "2020-01-01-feedback.jsonl", *there]))

    assert len(list(inbox.read())) == 1
