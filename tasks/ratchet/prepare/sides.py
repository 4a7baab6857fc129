"""The split that is for ever: a text stays on its side however the data grows, and near-duplicates share a side.

Texts are taken in file order. A text that is near one or more earlier texts goes to their side; near none, a salted
hash of it decides. Near texts on two sides would leak from one to the other whichever it joined: it straddles, and is
left out. Nothing here looks ahead, so appended texts move nobody.

Similarity is the Jaccard index of character n-grams, exact: an approximate index would miss some pairs, and then
which ones it misses would decide what leaks.
"""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from ratchet.prepare.contract import SplitPolicy

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")
NGRAM_CHARACTERS = 4
_NEAR = (4, 5)  # Jaccard index >= 4/5, in whole numbers

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff]")


def normalized(text: str) -> str:
    """What makes two texts the same: compatibility form, no case, no invisible characters, single spaces."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold().split())


def sides_of(texts: Sequence[str], policy: SplitPolicy) -> list[Side | None]:
    """The side of each normalized, distinct text, in the order of `texts`; None for one that straddles."""
    ngrams = [ngrams_of(text) for text in texts]
    index = _Index(Counter(ngram for one in ngrams for ngram in one))
    sides: list[Side | None] = []
    for text, one in zip(texts, ngrams, strict=True):
        near = index.sides_near(one)
        side = _hashed_side(text, policy) if not near else near[0] if len(near) == 1 else None
        if side is not None:
            index.add(one, side)
        sides.append(side)
    return sides


def ngrams_of(text: str) -> frozenset[str]:
    """Character n-grams; a text shorter than one is its own."""
    return frozenset(text[i : i + NGRAM_CHARACTERS] for i in range(max(1, len(text) - NGRAM_CHARACTERS + 1)))


def near(left: frozenset[str], right: frozenset[str]) -> bool:
    """Jaccard index of at least 0.8."""
    shared = len(left & right)
    return shared * _NEAR[1] >= (len(left) + len(right) - shared) * _NEAR[0]


def _hashed_side(text: str, policy: SplitPolicy) -> Side:
    digest = hashlib.sha256(f"{policy.salt}\0{text}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < policy.test_share:
        return "test"
    return "validation" if position < policy.test_share + policy.validation_share else "train"


class _Index:
    """Finds the sides that have a near text, without comparing all pairs, and without missing one.

    Prefix filter (Chaudhuri, Ganti, Kaushik 2006, A primitive operator for similarity joins in data cleaning): put
    the n-grams of every text in one common order; two texts with a Jaccard index >= t share one of the first
    n - ceil(t n) + 1 n-grams of either. Any order is correct; rare ones first is fast.
    """

    def __init__(self, frequency: Counter[str]) -> None:
        self._frequency = frequency
        self._texts: dict[Side, dict[str, list[frozenset[str]]]] = {side: defaultdict(list) for side in SIDES}

    def add(self, ngrams: frozenset[str], side: Side) -> None:
        for ngram in self._prefix(ngrams):
            self._texts[side][ngram].append(ngrams)

    def sides_near(self, ngrams: frozenset[str]) -> list[Side]:
        prefix = self._prefix(ngrams)
        return [side for side in SIDES if any(near(ngrams, other) for other in self._candidates(side, prefix, ngrams))]

    def _candidates(self, side: Side, prefix: Iterable[str], ngrams: frozenset[str]) -> Iterable[frozenset[str]]:
        """Each text once, of a size that can be near."""
        least, most = len(ngrams) * _NEAR[0] / _NEAR[1], len(ngrams) * _NEAR[1] / _NEAR[0]
        seen: set[int] = set()
        for ngram in prefix:
            for other in self._texts[side].get(ngram, ()):
                if least <= len(other) <= most and id(other) not in seen:
                    seen.add(id(other))
                    yield other

    def _prefix(self, ngrams: frozenset[str]) -> list[str]:
        length = len(ngrams) - -(-len(ngrams) * _NEAR[0] // _NEAR[1]) + 1
        return sorted(ngrams, key=lambda ngram: (self._frequency[ngram], ngram))[:length]
