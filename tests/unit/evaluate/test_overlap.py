"""Questions that the training holds are found, verbatim, in other clothes, and inside longer texts."""

import json
from pathlib import Path

import pytest

from ratchet.evaluate.overlap import overlapping

LONG = "Please tell me why the parcel that I ordered on Monday has not reached my new address in Leeds yet"
MIDDLE = "Why was my new card charged twice on Monday?"
SHORT = "What is 12 + 7?"


def training(folder: Path, *prompts: str) -> Path:
    path = folder / "train.jsonl"
    lines = [
        {"prompt": [{"role": "user", "content": prompt}], "completion": [{"role": "assistant", "content": "late"}]}
        for prompt in prompts
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


@pytest.mark.parametrize(
    ("question", "trained_on"),
    [
        (LONG, LONG),
        (LONG, f"Answer in one word. {LONG.upper()}!!! Thank you."),
        (LONG, "the parcel that I ordered, on Monday, has not reached my new address at all"),  # 13 of its words
        (MIDDLE, f"Give a label for: {MIDDLE}"),
        (MIDDLE, "why  was\nmy new card\u00a0charged twice, on monday"),
        (SHORT, "what is 12 + 7"),
    ],
)
def test_a_question_that_was_trained_on_is_found(tmp_path, question, trained_on):
    path = training(tmp_path, "something else entirely", trained_on)

    assert overlapping({"task": [{"question": "another one here"}, {"question": question}]}, path) == {"task": {1}}


@pytest.mark.parametrize(
    ("question", "trained_on"),
    [
        (LONG, "the parcel that I ordered on Monday has not reached my old address in York"),  # 11 in a row
        (MIDDLE, "Why was my new card charged twice on Tuesday?"),
        (SHORT, "Tell me: What is 12 + 7?"),  # so short a text is found by chance
        (SHORT, "What is 12 + 70?"),
        ("late", "late"),  # a label is no question
    ],
)
def test_a_question_that_only_looks_alike_is_kept(tmp_path, question, trained_on):
    assert overlapping({"task": [{"question": question, "answer": "late"}]}, training(tmp_path, trained_on)) == {
        "task": set()
    }


def test_the_prompt_around_every_question_is_no_question(tmp_path):
    around = "You are a support agent. Read the ticket below and answer with exactly one label of the list, please: "
    path = training(tmp_path, *(f"{around}number {number} is late" for number in range(60)), f"{around}{MIDDLE}")
    rows = [{"prompt": f"{around}where is my parcel"}, {"prompt": f"{around}{MIDDLE}"}]

    assert overlapping({"task": rows}, path) == {"task": {1}}


def test_what_the_training_answers_counts_too(tmp_path):
    path = tmp_path / "train.jsonl"
    example = {
        "prompt": [{"role": "user", "content": "Go on."}],
        "completion": [{"role": "assistant", "content": LONG}],
    }
    path.write_text(json.dumps(example) + "\n", "utf-8")

    assert overlapping({"task": [{"question": LONG}]}, path) == {"task": {0}}


def test_every_task_is_looked_at(tmp_path):
    tasks = {"one": [{"q": SHORT}], "two": [{"q": MIDDLE}, {"q": SHORT}]}

    assert overlapping(tasks, training(tmp_path, SHORT)) == {"one": {0}, "two": {1}}
