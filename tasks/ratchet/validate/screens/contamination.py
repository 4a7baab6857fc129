"""Rows that hold a question of an evaluation set: trained on, it would measure memory."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from ratchet.core.injection import TEMPLATE_MARK
from ratchet.validate.policy import ANY_ACTION
from ratchet.validate.screens.screen import Screen, batches

_NGRAM_WORDS = 8
# A text of fewer words is no question, but a label or a number; one of fewer than so many is found as a whole row only.
_FEWEST_WORDS, _FEWEST_INSIDE = 3, 5
# Of a longer question's n-grams so many are enough: a preface does not touch them, another end leaves most.
_LEAST_CONTAINED = 0.5
_MARKS = re.compile(TEMPLATE_MARK)
# Speakers that a chat is wrapped in, at the start of a line.
_SPEAKERS = re.compile(
    r"^\s*(?:#+\s*)?(?:system|user|human|assistant|question|answer|instruction|response|q|a)\s*:", re.I | re.M
)
# Between numbers an operator is part of the question.
_WORDS = re.compile(r"\w+|(?<=\d)\s*[-+*/=<>^%×÷−]\s*(?=\d)")

Gram = tuple[str, ...]


def words_of(text: str) -> Gram:
    """Letters and digits alone, in lower case, without the marks of a chat; and the operators between numbers."""
    plain = _MARKS.sub(" ", unicodedata.normalize("NFKC", text))
    if ":" in plain:
        plain = _SPEAKERS.sub(" ", plain)
    return tuple(word.strip() for word in _WORDS.findall(plain.casefold()))


class Questions:
    """The texts of evaluation sets, by their words and by what of them is found inside another text."""

    def __init__(self, sets: Mapping[str, Path]) -> None:
        """`sets`: name → JSON lines; each text of a line's object counts."""
        self._whole: dict[Gram, str] = {}
        self._inside: dict[Gram, list[int]] = {}
        self._sizes: list[int] = []  # by question: how many different n-grams tell of it
        self._names: list[str] = []
        for name, path in sets.items():
            with path.open("rb") as lines:
                for number, row in enumerate(map(json.loads, filter(bytes.strip, lines)), 1):
                    for text in _texts(row):
                        self._add(words_of(text), f"row {number} of {name}")
        self._lengths: dict[Gram, set[int]] = {}  # of the n-grams that begin with these two words
        for gram in self._inside:
            self._lengths.setdefault(gram[:2], set()).add(len(gram))

    def held_by(self, text: str) -> str | None:
        """Which question the text is, or holds: the first in the order of the sets."""
        words = words_of(text)
        if found := self._whole.get(words):
            return f"is {found}"
        grams = {
            words[start : start + length]
            for start, head in enumerate(pairwise(words))
            for length in self._lengths.get(head, ())
        }
        shared = Counter(place for gram in grams for place in self._inside.get(gram, ()))
        held = [place for place, number in shared.items() if number >= _LEAST_CONTAINED * self._sizes[place]]
        return f"holds {self._names[min(held)]}" if held else None

    def _add(self, words: Gram, name: str) -> None:
        if len(words) < _FEWEST_WORDS or words in self._whole:
            return
        self._whole[words] = name
        if len(words) >= _FEWEST_INSIDE:
            length = min(len(words), _NGRAM_WORDS)
            grams = {words[start : start + length] for start in range(len(words) - length + 1)}
            for gram in grams:
                self._inside.setdefault(gram, []).append(len(self._names))
            self._names.append(name)
            self._sizes.append(len(grams))


def contamination_screen(sets: Mapping[str, Path]) -> Screen:
    """`sets`: name → JSON lines of an evaluation set."""
    return Screen(
        "contamination",
        "no text holds a question of an evaluation set",
        ANY_ACTION,
        "SELECT row, detail FROM contaminated",
        partial(_prepare, sets=sets),
    )


def _prepare(db: Any, sets: Mapping[str, Path]) -> None:
    db.execute("CREATE TABLE contaminated (row BIGINT, detail VARCHAR)")
    if not sets:
        return
    questions = Questions(sets)
    for rows in batches(db, "SELECT row, text, label FROM rows"):
        found = [
            (row, detail)
            for row, text, label in rows
            if (detail := questions.held_by(text) or questions.held_by(label)) is not None
        ]
        if found:
            db.execute("INSERT INTO contaminated SELECT unnest(?), unnest(?)", list(zip(*found, strict=True)))


def _texts(value: object) -> Iterator[str]:
    """All strings in a JSON value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
