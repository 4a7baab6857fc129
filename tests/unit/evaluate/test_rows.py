"""What a task asks: rows are checked before a model is loaded, and a draw is fair and repeatable."""

import json

import pytest
from tests.fakes.planted import PROMPT

from ratchet.evaluate.rows import BadRows, in_order, read_rows
from ratchet.evaluate.task_file import TaskFile

TASK = TaskFile(name="intent", version="1", config={}, metrics={"exact_match": True}, fields=("prompt", "answer"))
ROWS = [{"prompt": f"question {number}", "answer": str(number)} for number in range(50)]


def test_rows_are_read_whatever_characters_they_hold(tmp_path):
    path = tmp_path / "rows.jsonl"
    row = {"prompt": "a\u2028b\u0085c \u00e9 \U0001f600", "answer": "x", "id": 3}
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", "utf-8")

    assert read_rows(path, TASK) == [row]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "task intent: its data has no rows"),
        ('{"prompt": "a", "answer": "b"}\n{"prompt": "a", "ans', "task intent, row 2: expected a JSON object"),
        ('{"prompt": "a"}\n', "row 1: expected the fields ['answer'], got ['prompt']"),
        (f'{{"prompt": "{PROMPT}"\n', "row 1: expected a JSON object"),
        ("[1, 2]\n", "row 1: expected the fields ['prompt', 'answer'], got list"),
        (b"\xff\xfe\n", "row 1: expected a JSON object"),
        ('{"prompt": "a", "answer": "b"}\n{"answer": "b", "prompt": "a"}\n', "row 2: the same as row 1; leave one out"),
    ],
)
def test_rows_that_the_task_cannot_ask_are_refused(tmp_path, content, message):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(BadRows) as refusal:
        read_rows(path, TASK)

    assert message in str(refusal.value)
    assert PROMPT not in str(refusal.value)


def test_the_order_depends_on_the_seed_and_the_rows_alone():
    first = in_order(ROWS, 20, seed=1)

    assert first == in_order(ROWS[::-1], 20, seed=1)
    assert first != in_order(ROWS, 20, seed=2)
    assert len({row["answer"] for row in first}) == 20


@pytest.mark.parametrize("max_samples", [None, 50, 51])
def test_all_rows_are_asked_where_there_are_no_more_than_may_be(max_samples):
    asked = in_order(ROWS, max_samples, seed=1)

    assert asked != ROWS
    assert sorted(asked, key=ROWS.index) == ROWS


def test_rows_keep_their_order_when_others_are_added():
    before, grown = in_order(ROWS[:30], None, seed=1), in_order(ROWS, None, seed=1)

    assert [row for row in grown if row in before] == before
