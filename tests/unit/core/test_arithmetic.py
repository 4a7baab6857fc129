import json
from pathlib import Path

import pytest

from ratchet.core.arithmetic import LARGEST_OPERAND, NUM_HELD_OUT, held_out, sums

NUM_QUESTIONS = 60 * 60
CANARY = Path(__file__).parents[3] / "quality_gates" / "tasks" / "arithmetic.jsonl"


def test_a_question_is_asked_the_same_way_every_time():
    assert sums(3, seed=1) == sums(3, seed=1)
    assert sums(3, seed=1) != sums(3, seed=2)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_answer_is_right(seed):
    for question, answer in sums(4000, seed):
        left, right = question.removeprefix("What is ").removesuffix("?").split(" + ")

        assert int(answer) == int(left) + int(right)
        assert max(int(left), int(right)) <= LARGEST_OPERAND


def test_excluded_questions_never_come():
    excluded = {question for question, _ in held_out()}

    drawn = {question for question, _ in sums(20_000, seed=5, exclude=excluded)}

    assert not drawn & excluded


def test_a_question_comes_again_only_after_all_others():
    num_questions = NUM_QUESTIONS
    once = sums(num_questions, seed=9)
    more = sums(num_questions + 1, seed=9)

    assert len(set(once)) == num_questions
    assert more[:-1] == once
    assert more[-1] in once


def test_no_rows_are_drawn_when_none_are_asked_for():
    assert sums(0, seed=1) == []


def test_excluding_everything_is_refused():
    everything = [question for question, _ in sums(NUM_QUESTIONS, seed=1)]

    with pytest.raises(ValueError, match="no sum is left"):
        sums(1, seed=1, exclude=everything)


def test_the_canary_file_holds_the_held_out_questions():
    rows = [json.loads(line) for line in CANARY.read_text(encoding="utf-8").splitlines()]

    assert [(row["question"], row["answer"]) for row in rows] == held_out()
    assert len({row["question"] for row in rows}) == NUM_HELD_OUT
