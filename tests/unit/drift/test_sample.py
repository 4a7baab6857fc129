"""Which rows are looked at does not depend on their order or number, and a text counts once."""

import random

import pytest

from ratchet.drift.sample import answers_with_labels, as_captured, sample

ROWS = [(f"text {n}", "label") for n in range(500)]


def test_the_same_rows_are_taken_in_whatever_order_they_come() -> None:
    other = random.Random(1).sample(ROWS, len(ROWS))

    assert sample(ROWS, 20, seed=0) == sample(other, 20, seed=0)
    assert sample(ROWS, 20, seed=0) != sample(ROWS, 20, seed=1)


def test_a_sample_is_of_the_wanted_size_of_all_rows_and_of_each_text_once() -> None:
    taken = sample([row for row in ROWS for _ in range(3)], 20, seed=0)

    assert len(taken) == len(set(taken)) == 20
    assert set(sample(ROWS, 1000, seed=0)) == set(ROWS)


def test_rows_are_compared_as_the_edge_would_have_kept_them() -> None:
    assert list(as_captured([("write to mia@example.com", "a")])) == [("write to [email]", "a")]


@pytest.mark.parametrize(("num_labels", "are_labels"), [(5, False), (6, True)])
def test_answers_are_labels_when_most_of_them_are_known(num_labels: int, are_labels: bool) -> None:
    now = [("x", "refund")] * num_labels + [("x", "Dear customer, …")] * (10 - num_labels)

    assert answers_with_labels(now, [("y", "refund"), ("z", "top_up")]) is are_labels
