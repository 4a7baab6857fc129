"""Which sets of n-grams are near one another: an exact answer, without comparing all pairs.

Two texts are near when the Jaccard index of their n-grams, shared / all, reaches a limit (Broder 1997, On the
resemblance and containment of documents). Limits are fractions in whole numbers, so that no rounding decides.
"""

from collections.abc import Callable, Collection, Set
from typing import Any, TypeVar

Fraction = tuple[int, int]
Ngram = TypeVar("Ngram")


def is_near(left: Set[Ngram], right: Set[Ngram], least: Fraction) -> bool:
    """Is the Jaccard index at least `least`? Two empty sets are not alike: there is nothing in which they could be."""
    shared = len(left & right)
    return shared > 0 and shared * least[1] >= (len(left) + len(right) - shared) * least[0]


def prefix_of(ngrams: Collection[Ngram], least: Fraction, order: Callable[[Ngram], Any]) -> list[Ngram]:
    """The few n-grams by which a near set is found: two near sets share one of the prefix of either.

    Prefix filter (Chaudhuri, Ganti, Kaushik 2006, A primitive operator for similarity joins in data cleaning): with the
    n-grams of every text in one common order, two texts with a Jaccard index >= t share one of the first
    n - ceil(t n) + 1 n-grams of either. Any order is correct; rare ones first is fast.
    """
    length = len(ngrams) - -(-len(ngrams) * least[0] // least[1]) + 1
    return sorted(ngrams, key=order)[:length]
