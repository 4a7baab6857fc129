"""A share of what users ask is kept, redacted; nothing of it hinders an answer."""

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ratchet.core.contract import canonical_json
from ratchet.serving.asgi import Message
from ratchet.serving.capture import CAPTURE_VARIABLE, forget
from ratchet.serving.middleware import Answers

ASKED = {"messages": [{"role": "user", "content": "I am mia@example.org"}]}
WHOLE = [b'{"choices":[{"index":0,"message":{"content":"hello mia@example.org"}}]}']
# The address lies across two pieces.
STREAM = [
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":"hello mia@exam"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":"ple.org"}}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
    b"data: [DONE]\n\n",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    wish = {"folder": str(tmp_path / "capture"), "share": 1.0, "days": 7}
    monkeypatch.setenv(CAPTURE_VARIABLE, json.dumps(wish))
    monkeypatch.setenv("RATCHET_COLOUR", "green")
    monkeypatch.setenv("RATCHET_RELEASE", "support-1")
    return tmp_path / "capture"


def ask(
    answer: list[bytes],
    asked: Any = ASKED,
    status: int = 200,
    path: str = "/v1/chat/completions",
    **headers: str,
) -> bytes:
    """The answer of an engine that says `answer`, to a request as the edge passes it on."""
    sent: list[bytes] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        assert json.loads((await receive())["body"]) == asked
        await send({"type": "http.response.start", "status": status, "headers": []})
        for piece in answer:
            await send({"type": "http.response.body", "body": piece, "more_body": piece is not answer[-1]})

    async def receive() -> Message:
        return {"type": "http.request", "body": canonical_json(asked)}

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))

    told = {
        "x-ratchet-edge": "1",
        "x-request-id": "id-1",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    scope = {"type": "http", "path": path, "headers": [(n.encode(), v.encode()) for n, v in told.items() if v]}
    asyncio.run(Answers(app)(scope, receive, send))
    return b"".join(sent)


def kept(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]


@pytest.mark.parametrize("answer", [WHOLE, STREAM])
def test_request_and_answer_are_kept_without_what_names_a_person(folder: Path, answer: list[bytes]) -> None:
    assert ask(answer, x_ratchet_key="ben") == b"".join(answer)

    (record,) = kept(folder)
    assert record.pop("at")
    assert record == {
        "request_id": "id-1",
        "key": "ben",
        "release": "support-1",
        "colour": "green",
        "prompt": [{"role": "user", "content": "I am [email]"}],
        "answer": ["hello [email]"],
    }
    assert "mia" not in next(folder.iterdir()).read_text()


def test_what_is_kept_is_its_owners_alone(folder: Path) -> None:
    ask(WHOLE)

    assert [oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())] == ["0o700", "0o600"]


def test_a_completion_is_kept_too(folder: Path) -> None:
    answer = [b'{"choices":[{"index":0,"text":"a"},{"index":1,"text":"b"}]}']
    ask(answer, {"prompt": ["call 030 1234567", [1, 2]]}, path="/v1/completions")

    (record,) = kept(folder)
    assert (record["prompt"], record["answer"]) == (["call [phone]", ["[int]", "[int]"]], ["a", "b"])


def test_of_what_is_no_text_only_its_kind_is_kept(folder: Path) -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:…"}}]
    ask(WHOLE, {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": None}]})

    (record,) = kept(folder)
    assert [message["content"] for message in record["prompt"]] == [["look", "[image_url]"], None]


@pytest.mark.parametrize("headers", [{"x_ratchet_key": "ratchet"}, {"x_ratchet_edge": ""}])
def test_ratchets_own_probes_are_not_kept(folder: Path, headers: dict[str, str]) -> None:
    ask(WHOLE, **headers)

    assert not folder.exists()


@pytest.mark.parametrize(
    ("answer", "status"), [(WHOLE, 400), ([b"<html>"], 200), ([b"x" * 70_000], 200), ([b'{"choices":7}'], 200)]
)
def test_what_cannot_be_kept_is_answered_all_the_same(folder: Path, answer: list[bytes], status: int) -> None:
    assert ask(answer, status=status) == b"".join(answer)
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_hinders_no_answer(folder: Path) -> None:
    folder.write_text("in the way")

    assert ask(WHOLE) == WHOLE[0]


def test_nothing_is_kept_unless_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CAPTURE_VARIABLE)

    ask(WHOLE)

    assert not folder.exists()


def test_days_that_were_kept_long_enough_go_and_nothing_else(tmp_path: Path) -> None:
    names = ("2026-01-04-blue.jsonl", "2026-01-05-green.jsonl", "2026-01-06-blue.jsonl", "notes.txt")
    for name in names:
        (tmp_path / name).touch()

    forget(tmp_path, date(2026, 1, 5))

    assert {path.name for path in tmp_path.iterdir()} == {"2026-01-06-blue.jsonl", "notes.txt"}
