"""Feedback through the real edge: who may say something of an answer, what is kept of it, and what is refused."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.events import sha
from tests.fakes.openai import Served
from tests.steps.serving.edge_place import CHAT, HELLO, Place, edge_before, eventually

from ratchet.core.feedback import Feedback
from ratchet.core.rollout import first_state
from ratchet.serving.feedback.inbox import inbox_of

pytestmark = pytest.mark.timeout(120)

ON_A, ON_B = first_state("blue", "a", sha("a"), seq=0), first_state("green", "b", sha("b"), seq=1)


@pytest.fixture(scope="module")
def running() -> Iterator[Place]:
    """The edge, its log where the supervisor would put it, and the service."""
    served = {"blue": Served({"support"}), "green": Served({"support"})}
    with edge_before(served, "requests_per_minute = 6\nmax_request_bytes = 100000") as place:
        logs = place.settings.state / "logs"
        logs.mkdir(parents=True)
        (logs / "access.log").symlink_to(place.settings.root / "access.log")
        place.go(ON_A)
        environment = {**os.environ, "RATCHET_CONFIG": str(place.settings.root / "ratchet.toml")}
        command = [sys.executable, "-m", "ratchet.serving.feedback"]
        with (place.settings.root / "feedback.log").open("wb") as log:
            service = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                eventually(lambda: send(place, answer="x").status_code == 404)
                yield place
            finally:
                service.terminate()
                service.wait(20)


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    running.go(ON_A)
    yield running
    running.let_everybody_in()


def ask(place: Place, key: str = "") -> httpx.Response:
    return place.post(CHAT, HELLO, key)


def send(place: Place, key: str = "", **fields: Any) -> httpx.Response:
    return place.post("/v1/feedback", {"rating": "down", **fields}, key)


def kept(place: Place, feedback_id: str) -> list[Feedback]:
    return [one for one in inbox_of(place.settings).read() if one.id == feedback_id]


def test_what_is_said_right_after_an_answer_is_kept_with_the_release_that_gave_it(place: Place) -> None:
    answer = ask(place).headers["x-request-id"]

    told = send(place, answer=f"chatcmpl-{answer}", corrected="refund", question="call me at mia@example.org")

    assert told.status_code == 202
    assert told.json() == {"id": told.json()["id"], "release": "a", "status": "waits_for_review"}
    (feedback,) = kept(place, told.json()["id"])
    assert (feedback.request_id, feedback.key, feedback.colour) == (answer, None, "blue")
    assert (feedback.corrected, feedback.question) == ("refund", "call me at [email]")


def test_what_is_said_twice_is_kept_once(place: Place) -> None:
    answer = ask(place).headers["x-request-id"]

    ids = {send(place, answer=answer, comment="wrong").json()["id"] for _ in range(3)}

    assert len(ids) == 1
    assert len(kept(place, ids.pop())) == 1


def test_after_a_switch_feedback_is_of_the_release_that_answered(place: Place) -> None:
    answer = ask(place).headers["x-request-id"]
    place.go(ON_B)

    assert send(place, answer=answer).json()["release"] == "a"


def test_feedback_needs_a_key_and_only_who_asked_may_give_it(place: Place) -> None:
    ann, bob = place.give_key("ann"), place.give_key("bob")
    answer = ask(place, ann).headers["x-request-id"]

    assert send(place, answer=answer).status_code == 401
    assert send(place, bob, answer=answer).status_code == 404
    told = send(place, ann, answer=answer)

    assert told.status_code == 202
    assert kept(place, told.json()["id"])[0].key == "ann"


def test_a_key_that_says_too_much_waits(place: Place) -> None:
    key = place.give_key("cleo")
    answer = ask(place, key).headers["x-request-id"]

    assert send(place, key, answer=answer).status_code == 202
    told = [send(place, key, answer=answer).status_code for _ in range(10)]

    assert 429 in told


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"answer": "nobody-knows-this"}, 404, "answer_not_found", "answer"),
        ({"answer": "x", "rating": "meh"}, 400, "invalid_feedback", "rating"),
        ({"answer": "x", "comment": "x" * 70_000}, 413, "request_too_large", None),
        ({"answer": "x", "comment": "x" * 100_001}, 413, "request_too_large", None),
    ],
)
def test_what_is_wrong_is_told_in_openais_shape(
    place: Place, fields: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    told = send(place, **fields)

    assert told.status_code == status
    error = told.json()["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert error["message"]


def test_another_method_is_refused(place: Place) -> None:
    told = httpx.get(f"{place.router.url()}/v1/feedback")

    assert told.status_code == 405
    assert told.json()["error"]["type"] == "invalid_request_error"


def test_no_log_holds_what_was_said_and_no_other_user_of_the_machine_reads_it(place: Place) -> None:
    answer = ask(place).headers["x-request-id"]
    send(place, answer=answer, comment="a planted phrase", corrected="a planted label")
    send(place, answer=answer, rating="a planted rating")

    inbox = inbox_of(place.settings)
    told = [path for path in _files(place.settings.root) if "planted" in path.read_text("utf-8", "replace")]
    assert {path.parent for path in told} == {inbox.folder}
    assert [oct(path.stat().st_mode & 0o777) for path in (inbox.folder, *told)] == ["0o700", "0o600"]


def test_without_the_service_it_is_told_to_come_again() -> None:
    with edge_before({"blue": Served(), "green": Served()}) as place:
        told = send(place, answer="x")

    assert told.status_code == 503
    assert told.json()["error"]["code"] == "feedback_away"


def test_feedback_is_taken_while_no_model_has_users(place: Place) -> None:
    answer = ask(place).headers["x-request-id"]
    place.router.path.unlink()
    place.router.write_anew()
    eventually(lambda: ask(place).status_code == 503)
    try:
        assert send(place, answer=answer).status_code == 202
    finally:
        place.go(ON_A)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
