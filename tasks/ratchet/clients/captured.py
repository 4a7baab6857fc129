"""Reads what users asked, and were answered, where the engines keep it (serving/capture.py). It copies nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ratchet.core.contract import Sha256, digest_json


@dataclass(frozen=True)
class Exchange:
    """`text` is what the user said last; `release` answered it, on `day` (UTC)."""

    text: str
    answer: str
    request_id: str | None = None
    release: str | None = None
    day: date | None = None


def exchanges(folder: Path, first_day: date, last_day: date) -> list[Exchange]:
    """Of whole days, both included. What has no text is left out; a picture stands for its kind."""
    found: list[Exchange] = []
    for path in sorted(folder.glob("????-??-??-*.jsonl")):
        if f"{first_day}" <= path.name[:10] <= f"{last_day}":
            found += _in(path)
    return found


def digest_of(found: list[Exchange]) -> Sha256:
    return digest_json([[one.text, one.answer] for one in found])


def _in(path: Path) -> Iterator[Exchange]:
    try:
        lines = path.read_bytes().splitlines()  # bytes: text also splits at U+2028, which users write
    except FileNotFoundError:  # its time was over just now
        return
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:  # an engine that was killed left half a line, or half a character
            continue
        if text := _said_last(record["prompt"]).strip():
            answer = " ".join(record["answer"]).strip()
            yield Exchange(text, answer, record.get("request_id"), record.get("release"), _day(record.get("at")))


def _day(at: str | None) -> date | None:
    return date.fromisoformat(at[:10]) if at else None


def _said_last(prompt: Any) -> str:
    """`prompt` is a text, a list of texts or of messages; a message's content a text or a list of its parts."""
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], dict):
        own = [message["content"] for message in prompt if message["role"] == "user"]
        prompt = own[-1] if own else ""
    parts = prompt if isinstance(prompt, list) else [prompt]
    return " ".join(part for part in parts if isinstance(part, str))
