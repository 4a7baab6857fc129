"""A log line is JSON for machines and one short line for people."""

import json
import logging

import pytest

from ratchet.core.log import JsonLines, readable
from ratchet.core.readable import readable_line


def record(event: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("ratchet", logging.INFO, "", 0, event, (), None)
    made.__dict__.update(fields)
    return made


def test_an_event_and_its_fields_are_one_json_object() -> None:
    line = json.loads(JsonLines().format(record("done", step="gate", wall_seconds=1.5)))

    assert {name: value for name, value in line.items() if name != "at"} == {
        "event": "done",
        "level": "info",
        "step": "gate",
        "wall_seconds": 1.5,
    }


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            '{"at": "x", "level": "info", "event": "progress", "step": 10, "loss": 0.123456}',
            "progress  step=10 loss=0.1235",
        ),
        ('{"event": "done"}', "done"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ('["not", "ours"]', '["not", "ours"]'),
        ('{"at": "x", "event": "bug", "traceback": "line 1"}', "bug\nline 1"),
    ],
)
def test_a_person_reads_a_step_line_as_text_and_any_other_as_it_is(line: str, text: str) -> None:
    assert readable_line(line) == text


def test_numbers_are_rounded_to_what_a_person_reads() -> None:
    assert readable("progress", {"loss": 0.123456789, "step": 3}) == "progress  loss=0.1235 step=3"
