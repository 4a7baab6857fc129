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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ratchet.core.similarity import is_near, prefix_of
from ratchet.prepare.contract import SplitPolicy

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")
NGRAM_CHARACTERS = 4
_NEAR = (4, 5)  # Jaccard index >= 4/5

_PARITY_BITS = 8192  # more than the n-grams of the longest text, else the bound below says little
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
        entry = index.entry(one)
        near = index.sides_near(entry)
        side = _hashed_side(text, policy) if not near else near[0] if len(near) == 1 else None
        if side is not None:
            index.add(entry, side)
        sides.append(side)
    return sides


def ngrams_of(text: str) -> frozenset[str]:
    """Character n-grams; a text shorter than one is its own."""
    return frozenset(text[i : i + NGRAM_CHARACTERS] for i in range(max(1, len(text) - NGRAM_CHARACTERS + 1)))


def near(left: frozenset[str], right: frozenset[str]) -> bool:
    """Jaccard index of at least 0.8."""
    return is_near(left, right, _NEAR)


def _hashed_side(text: str, policy: SplitPolicy) -> Side:
    digest = hashlib.sha256(f"{policy.salt}\0{text}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < policy.test_share:
        return "test"
    return "validation" if position < policy.test_share + policy.validation_share else "train"


@dataclass(frozen=True, eq=False)
class _Entry:
    """`prefix`: see core.similarity. `parity`: bit h is set when an odd number of n-grams hash to h."""

    ngrams: frozenset[str]
    prefix: list[str]
    parity: int


class _Index:
    """Finds the sides that have a near text by the prefixes of their n-grams (core.similarity), and misses none."""

    def __init__(self, frequency: Counter[str]) -> None:
        self._frequency = frequency
        self._entries: dict[Side, dict[str, list[_Entry]]] = {side: defaultdict(list) for side in SIDES}

    def entry(self, ngrams: frozenset[str]) -> _Entry:
        prefix = prefix_of(ngrams, _NEAR, order=lambda ngram: (self._frequency[ngram], ngram))
        parity = 0
        for ngram in ngrams:
            parity ^= 1 << (hash(ngram) % _PARITY_BITS)
        return _Entry(ngrams, prefix, parity)

    def add(self, entry: _Entry, side: Side) -> None:
        for ngram in entry.prefix:
            self._entries[side][ngram].append(entry)

    def sides_near(self, entry: _Entry) -> list[Side]:
        return [side for side in SIDES if self._has_near(self._entries[side], entry)]

    def _has_near(self, entries: dict[str, list[_Entry]], entry: _Entry) -> bool:
        seen: set[_Entry] = set()
        for ngram in entry.prefix:
            for other in entries.get(ngram, ()):
                if other not in seen:
                    seen.add(other)
                    if _may_be_near(entry, other) and near(entry.ngrams, other.ngrams):
                        return True
        return False


def _may_be_near(left: _Entry, right: _Entry) -> bool:
    """A cheap bound: every differing bit is an n-gram that only one has, and near texts have few of those.

    With n and m n-grams and a Jaccard index >= t, at most (n + m) (1 - t) / (1 + t) are in one only.
    """
    most = (len(left.ngrams) + len(right.ngrams)) * (_NEAR[1] - _NEAR[0])
    return (left.parity ^ right.parity).bit_count() * (_NEAR[1] + _NEAR[0]) <= most
