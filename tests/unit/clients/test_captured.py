"""What users asked is read as the engines keep it: by whole days, the last thing said, broken lines left out."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ratchet.clients.captured import Exchange, digest_of, exchanges
from ratchet.serving.capture import forget, prompt_of, write

TODAY = datetime(2026, 1, 9, tzinfo=UTC).date()
YESTERDAY = TODAY - timedelta(days=1)


def keep(folder: Path, day: date, body: Any, answer: str = "refund", colour: str = "blue") -> None:
    write(folder, f"{day}-{colour}.jsonl", {"prompt": prompt_of(body), "answer": [answer]})


def chat(*messages: tuple[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in messages]}


def test_of_a_conversation_the_last_thing_the_user_said_counts(tmp_path: Path) -> None:
    said = [("system", "be brief"), ("user", "hello"), ("assistant", "hi"), ("user", "where is my card")]
    keep(tmp_path, YESTERDAY, chat(*said))

    assert exchanges(tmp_path, YESTERDAY, YESTERDAY) == [Exchange("where is my card", "refund")]


def test_prompts_and_contents_come_in_several_forms_and_what_says_nothing_is_left_out(tmp_path: Path) -> None:
    keep(tmp_path, YESTERDAY, {"prompt": "a plain prompt"})
    keep(tmp_path, YESTERDAY, chat(("user", [{"type": "text", "text": "what is"}, {"type": "text", "text": "this"}])))
    keep(tmp_path, YESTERDAY, chat(("assistant", "nobody asked")))
    keep(tmp_path, YESTERDAY, {"prompt": ""})

    assert [one.text for one in exchanges(tmp_path, YESTERDAY, YESTERDAY)] == ["a plain prompt", "what is this"]


def test_days_are_whole_and_of_both_colours(tmp_path: Path) -> None:
    for days in range(4):
        keep(tmp_path, TODAY - timedelta(days=days), {"prompt": f"{days} days ago"})
    keep(tmp_path, YESTERDAY, {"prompt": "from green"}, colour="green")

    found = exchanges(tmp_path, TODAY - timedelta(days=2), YESTERDAY)

    assert [one.text for one in found] == ["2 days ago", "1 days ago", "from green"]


def test_who_answered_and_when_is_told_where_it_was_kept(tmp_path: Path) -> None:
    record = {"at": f"{YESTERDAY}T12:00:00+00:00", "request_id": "r1", "release": "a", "prompt": "x", "answer": ["y"]}
    write(tmp_path, f"{YESTERDAY}-blue.jsonl", record)

    assert exchanges(tmp_path, YESTERDAY, TODAY) == [Exchange("x", "y", "r1", "a", YESTERDAY)]


def test_half_a_line_of_an_engine_that_was_killed_is_left_out(tmp_path: Path) -> None:
    keep(tmp_path, YESTERDAY, {"prompt": "whole"})
    with (tmp_path / f"{YESTERDAY}-blue.jsonl").open("a") as file:
        file.write(json.dumps({"prompt": "half"})[:9])
    with (tmp_path / f"{YESTERDAY}-green.jsonl").open("wb") as file:
        file.write('{"prompt": "é'.encode()[:-1])

    assert [one.text for one in exchanges(tmp_path, YESTERDAY, YESTERDAY)] == ["whole"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_a_text_may_have_line_ends_that_are_none_of_the_file(tmp_path: Path, separator: str) -> None:
    keep(tmp_path, YESTERDAY, {"prompt": f"one{separator}two"})

    assert [one.text for one in exchanges(tmp_path, YESTERDAY, YESTERDAY)] == [f"one{separator}two"]


def test_what_was_erased_is_not_found_and_the_digest_says_so(tmp_path: Path) -> None:
    keep(tmp_path, YESTERDAY, {"prompt": "to be forgotten"})
    before = digest_of(exchanges(tmp_path, YESTERDAY, TODAY))

    forget(tmp_path, YESTERDAY)

    assert exchanges(tmp_path, YESTERDAY, TODAY) == []
    assert digest_of([]) != before
    assert exchanges(tmp_path / "nothing was ever kept", YESTERDAY, TODAY) == []
