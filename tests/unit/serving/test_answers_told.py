"""What the edge's pods tell the service that takes feedback: every answer, and nothing else of the access log."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from tests.fakes.web import web_server

from ratchet.clients.routes import ANSWERS_PATH
from ratchet.serving.edge import tell
from ratchet.serving.edge.pod import Place
from ratchet.serving.edge.tell import Teller
from ratchet.serving.feedback.answers import AnswersLog

ANSWER = {
    "at": "2026-01-05T12:30:00.000Z",
    "request_id": "id-1",
    "key": "mia",
    "path": "/v1/chat/completions",
    "status": 200,
    "colour": "green",
    "release": "b",
}


def lines(*told: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in told)


def post(answers: AnswersLog, content: bytes) -> int:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=Starlette(routes=[answers.route()]))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.post(ANSWERS_PATH, content=content)

    return asyncio.run(ask()).status_code


def test_an_id_with_a_line_separator_of_unicode_costs_nobodys_answer(tmp_path: Path) -> None:
    odd = json.dumps({**ANSWER, "request_id": "a\u2028b"}, ensure_ascii=False).encode() + b"\n"

    assert post(AnswersLog(tmp_path), odd + lines(ANSWER)) == 204
    assert (tmp_path / "access.log").read_bytes() == odd + lines(ANSWER)


@pytest.mark.parametrize(
    "other",
    [
        {"status": 503, "release": None},
        {"path": "/v1/models"},
        {"path": "/v1/feedback", "status": 202},
        {"release": None},
    ],
)
def test_every_line_goes_into_the_pods_log_and_answers_alone_to_the_service(
    other: dict[str, Any], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    logged = lines({**ANSWER, **other}) + b"no json\n" + lines(ANSWER)
    with web_server([204]) as (service, told):
        Teller(Place.parse(service), io.BytesIO(logged)).finish()

    assert capsysbinary.readouterr().out == logged
    assert told == [ANSWER]


def test_what_was_not_taken_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tell, "RETRY_SECONDS", 0.01)
    with web_server([503, 503, 204]) as (service, told):
        Teller(Place.parse(service), io.BytesIO(lines(ANSWER))).finish()

    assert told == [ANSWER] * 3


def test_what_will_never_be_taken_is_told_once() -> None:
    with web_server([400]) as (service, told):
        Teller(Place.parse(service), io.BytesIO(lines(ANSWER))).finish()

    assert told == [ANSWER]


def test_a_service_that_is_away_for_long_costs_no_memory_without_end_and_no_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(tell, "MAX_WAITING", 3)
    monkeypatch.setattr(tell, "END_SECONDS", 1.0)
    logged = lines(*[ANSWER] * 100)

    teller = Teller(Place("127.0.0.1", 9), io.BytesIO(logged))
    teller.finish()

    assert capsysbinary.readouterr().out == logged
    assert teller._waiting.qsize() <= 3


def test_told_answers_are_kept_as_a_laptops_log_and_rotated(tmp_path: Path) -> None:
    answers = AnswersLog(tmp_path / "logs", file_bytes=400)

    assert [post(answers, lines(ANSWER, {**ANSWER, "request_id": f"id-{n}"})) for n in range(9)] == [204] * 9
    files = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert files == ["access.log", "access.log.1", "access.log.2"]
    assert json.loads((tmp_path / "logs" / "access.log").read_text().splitlines()[-1])["request_id"] == "id-8"


@pytest.mark.parametrize("content", [b"{", b"[]\n", b"7\n", lines({"request_id": "id-1"}), lines(ANSWER) + b"{"])
def test_what_is_no_answer_is_refused_whole(tmp_path: Path, content: bytes) -> None:
    assert post(AnswersLog(tmp_path), content) == 400
    assert (tmp_path / "access.log").read_bytes() == b""


def test_what_cannot_be_written_is_not_taken(tmp_path: Path) -> None:
    answers = AnswersLog(tmp_path, file_bytes=1)
    (tmp_path / "access.log.1").mkdir()  # in the way of the second line, at the latest

    assert [post(answers, lines(ANSWER)) for _ in range(2)][-1] == 503
