"""The laws of the split, on texts that are made to be close to one another."""

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.prepare.contract import SplitPolicy
from ratchet.prepare.sides import near, ngrams_of, normalized, sides_of

EVEN = SplitPolicy(test_share=0.4, validation_share=0.3)
WORDS = ["card", "still", "late", "the", "my", "order", "is", "gone"]
# Few words in long rows: many pairs are near, some on both sides of 0.8, and chains of near pairs are common.
rows = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join), max_size=40)


@settings(max_examples=300, deadline=None)
@given(earlier=rows, later=rows)
def test_appended_texts_move_no_earlier_text(earlier: list[str], later: list[str]) -> None:
    before = list(dict.fromkeys(earlier))
    after = list(dict.fromkeys(earlier + later))

    assert sides_of(after, EVEN)[: len(before)] == sides_of(before, EVEN)


@settings(max_examples=300, deadline=None)
@given(rows)
def test_near_duplicates_are_never_on_two_sides(texts: list[str]) -> None:
    distinct = list(dict.fromkeys(texts))

    placed = [(ngrams_of(text), side) for text, side in zip(distinct, sides_of(distinct, EVEN), strict=True) if side]

    assert all(one == other for (a, one), (b, other) in itertools.combinations(placed, 2) if near(a, b))


@settings(max_examples=200, deadline=None)
@given(rows)
def test_only_texts_near_two_sides_are_left_out(texts: list[str]) -> None:
    distinct = list(dict.fromkeys(texts))

    sides = sides_of(distinct, EVEN)

    for index, side in enumerate(sides):
        earlier = {
            sides[other] for other in range(index) if near(ngrams_of(distinct[index]), ngrams_of(distinct[other]))
        }
        assert (side is None) == (len(earlier - {None}) > 1)


def test_the_shares_are_kept() -> None:
    texts = [f"{n * 7919 % 10007} distinct {n * 104729 % 9973}" for n in range(4000)]

    counts = Counter(sides_of(texts, SplitPolicy(test_share=0.25, validation_share=0.05)))

    assert counts["test"] / 4000 == pytest.approx(0.25, abs=0.03)
    assert counts["validation"] / 4000 == pytest.approx(0.05, abs=0.015)


def test_another_salt_is_another_split() -> None:
    texts = [f"some text number {n * n}" for n in range(100)]

    assert sides_of(texts, SplitPolicy()) != sides_of(texts, SplitPolicy(salt="other"))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("abcdefgh", "abcdefgh", True),
        ("abcdefg", "abcdefgh", True),  # 4 of 5 n-grams: exactly on the threshold
        ("abcdef", "abcdefgh", False),  # 3 of 5
        ("abcd", "abce", False),
        ("ab", "ab", True),  # shorter than one n-gram
    ],
)
def test_near_is_a_jaccard_index_of_four_fifths(left: str, right: str, expected: bool) -> None:
    assert near(ngrams_of(left), ngrams_of(right)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  My  CARD\r\n is\tlate ", "my card is late"),
        ("\u200bcard\ufeff", "card"),
        ("\uff2dy card", "my card"),  # full-width letter
        ("caf\u0065\u0301", "café"),
        ("12 + 7", "12 + 7"),  # signs are meaning
        ("???", "???"),
    ],
)
def test_what_makes_two_texts_the_same(text: str, expected: str) -> None:
    assert normalized(text) == expected


def test_a_policy_that_leaves_no_training_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="leave no training"):
        SplitPolicy(test_share=0.6, validation_share=0.4)
