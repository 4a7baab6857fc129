"""The limit is exact, and the prefix finds every near pair."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.core.similarity import Fraction, is_near, prefix_of

sets = st.frozensets(st.integers(0, 30), max_size=20)
limits = st.sampled_from([(4, 5), (7, 11), (1, 2), (1, 1)])


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("abcdefgh", "abcdefghij", True),  # 8 of 10: exactly on the limit
        ("abcdefgh", "abcdefghijk", False),
        ("a", "a", True),
        ("a", "b", False),
        ("", "", False),
    ],
)
def test_near_is_a_jaccard_index_of_the_limit_or_more(left: str, right: str, expected: bool) -> None:
    assert is_near(frozenset(left), frozenset(right), (4, 5)) is expected


@given(sets, sets, limits)
def test_near_sets_share_one_of_the_prefix_of_either(
    left: frozenset[int], right: frozenset[int], least: Fraction
) -> None:
    def order(ngram: int) -> int:
        return ngram * 7 % 31

    shared = set(prefix_of(left, least, order)) & set(prefix_of(right, least, order))

    assert shared or not is_near(left, right, least)
