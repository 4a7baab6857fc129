"""Which questions are near one that was trained on, and which only come from the same template."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratchet.core.arithmetic import held_out, sums
from ratchet.core.similarity import is_near
from ratchet.evaluate.near import NEAR, near_duplicates, pairs_of

LONG = "please tell me why the parcel that I ordered on Monday has not reached my new address in Leeds yet"
words = st.lists(st.text("abcdefghij", min_size=2, max_size=6), min_size=10, max_size=30, unique=True)
# Of few sentences with some words changed: many are near, just not near, or share pairs with more than 20 others.
sentences = st.sampled_from(["abcdefghijkl", "abcdefmnopqr", "mnopqrstuv"])
changed_sentences = st.tuples(sentences, st.lists(st.tuples(st.integers(0, 11), st.sampled_from("xyz")), max_size=3))
many_texts = st.lists(changed_sentences.map(lambda made: rewritten(*made)), max_size=50)
quickly = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def rewritten(sentence: str, changes: list[tuple[int, str]]) -> str:
    """The letters of `sentence` as words, some of them replaced."""
    words = dict(enumerate(sentence))
    return " ".join((words | dict(changes)).values())


def training(folder: Path, *prompts: str, role: str = "user") -> Path:
    path = folder / "train.jsonl"
    lines = [
        {"prompt": [{"role": role, "content": prompt}], "completion": [{"role": "assistant", "content": "late"}]}
        for prompt in prompts
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def found(path: Path, *questions: str) -> set[int]:
    return near_duplicates({"task": [{"question": question} for question in questions]}, path)["task"]


@quickly
@given(words=words, data=st.data())
def test_one_word_of_ten_may_be_another(tmp_path: Path, words: list[str], data: st.DataObject) -> None:
    changed = list(words)
    for start in range(0, len(words) - 9, 10):
        changed[data.draw(st.integers(start, start + 9))] = f"other{start}"
    path = training(tmp_path, " ".join(words))

    assert found(path, " ".join(changed)) == {0}


@quickly
@given(words=words)
def test_every_third_word_may_not(tmp_path: Path, words: list[str]) -> None:
    changed = [f"other{place}" if place % 3 == 1 else word for place, word in enumerate(words)]

    assert found(training(tmp_path, " ".join(words)), " ".join(changed)) == set()


@quickly
@given(asked=many_texts, trained_on=many_texts)
def test_what_is_found_is_what_comparing_all_pairs_finds(
    tmp_path: Path, asked: list[str], trained_on: list[str]
) -> None:
    trained_on = trained_on * 3  # so that pairs come to be shared by many
    count = Counter(pair for text in trained_on for pair in pairs_of(text))
    shared = {pair for pair, number in count.items() if number > 20}
    known = [pairs_of(text) - shared for text in trained_on]

    expected = {
        position
        for position, text in enumerate(asked)
        if len(own := pairs_of(text) - shared) >= 7 and any(is_near(own, other, NEAR) for other in known)
    }

    assert found(training(tmp_path, *trained_on), *asked) == expected


def test_no_sum_is_near_another(tmp_path: Path) -> None:
    canary = [question for question, _ in held_out()]
    replayed = [question for question, _ in sums(1000, seed=0, exclude=canary)]

    assert found(training(tmp_path, *replayed), *canary) == set()
    assert found(training(tmp_path, "What is 58 + 3?"), "What is 12 + 49?", "What is 58 + 4?") == set()


def test_questions_of_one_template_are_compared_by_what_it_leaves_open(tmp_path: Path) -> None:
    template = "A train leaves at {} and takes {} minutes to the next town; when does it get there? Say the hour alone."
    trained_on = [template.format(number, number * 7 % 60) for number in range(30)]

    assert found(training(tmp_path, *trained_on), template.format(41, 12), template.format(7, 50)) == set()


def test_another_greeting_hides_no_question(tmp_path: Path) -> None:
    greetings = ("Good morning, a quick question. ", "To whom it may concern, ", "Hi, I need some help. ")
    others = [f"{greetings[number % 3]}ticket {number} about thing {number * 3}" for number in range(90)]
    path = training(tmp_path, *others, f"{greetings[0]}{LONG}")

    assert found(path, f"{greetings[1]}{LONG}", f"{greetings[1]}where is my sofa") == {0}


def test_the_prompt_around_every_question_makes_none_alike(tmp_path: Path) -> None:
    around = "You are a support agent. Read the ticket below and answer with exactly one label of the list, please: "
    path = training(tmp_path, *(f"{around}number {number} is late" for number in range(60)), f"{around}{LONG}")

    assert found(path, f"{around}where is my parcel", f"{around}{LONG} again") == {1}
    # Nor does it make them different: a public task asks without it.
    assert found(path, LONG.replace("Leeds", "York")) == {0}


@pytest.mark.parametrize(
    ("question", "trained_on"),
    [
        ("Why was my new card charged twice?", "Why was my new card charged twice"),  # 7 words are found by chance
        ("", ""),
        (LONG, " ".join(reversed(LONG.split()))),
    ],
)
def test_a_question_that_only_looks_alike_is_kept(tmp_path: Path, question: str, trained_on: str) -> None:
    assert found(training(tmp_path, trained_on), question) == set()


def test_eight_words_are_enough(tmp_path: Path) -> None:
    text = "Why was my new card charged twice today?"

    assert found(training(tmp_path, text), text) == {0}


def test_only_what_users_say_is_compared(tmp_path: Path) -> None:
    assert found(training(tmp_path, LONG, role="system"), LONG) == set()


def test_every_task_and_every_text_of_a_row_is_looked_at(tmp_path: Path) -> None:
    tasks = {"one": [{"q": "short"}, {"id": 7, "q": "short", "context": LONG}], "two": [{"q": LONG.upper()}]}

    assert near_duplicates(tasks, training(tmp_path, f"{LONG}!")) == {"one": {1}, "two": {0}}


def test_pairs_are_of_words_whatever_stands_between() -> None:
    assert pairs_of("My CARD,\nis (late)") == frozenset(pairwise(["my", "card", "is", "late"]))
