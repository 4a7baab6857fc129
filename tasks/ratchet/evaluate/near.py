"""Questions that the training asks in almost the same words: another greeting, another name, a slip of the finger."""

import json
import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ratchet.core.similarity import Fraction, is_near, prefix_of
from ratchet.evaluate.overlap import FEWEST_WORDS, most_examples, words_of
from ratchet.evaluate.rows import Row

# Ten words are nine pairs of neighbours. Another word among them takes two pairs away and makes two new ones: 7 of 11.
# So a text of ten different words or more is near while no more than one word in ten is another.
NEAR: Fraction = (7, 11)
FEWEST_PAIRS = FEWEST_WORDS - 1  # shorter texts are alike by chance

_NUM_COUNTERS = 1 << 20

Pair = tuple[str, str]
Place = tuple[str, int]  # a task's name and the position of a row


def near_duplicates(tasks: Mapping[str, Sequence[Row]], training: Path) -> dict[str, set[int]]:
    """Per task, the positions of rows with a text that is near what a user asks in a training example.

    Two texts are near when their pairs of neighbouring words have a Jaccard index of at least 7/11; a row's text with
    fewer than 7 of them is near none. Pairs that a good part of all examples share do not count: neither the prompt
    around the questions nor a greeting makes two of them alike, or different, and questions of one template are
    compared by what the template leaves open.

    Args:
        tasks: task name → its rows; each text of a row counts.
        training: prepare's JSON lines; read line by line, twice, so memory depends on the tasks alone.
    """
    texts = [(place, pairs_of(text)) for place, text in _texts(tasks)]
    index = _Index(texts, training)
    found: dict[str, set[int]] = {name: set() for name in tasks}
    for messages in _asked(training):
        for pairs in messages:
            for name, position in index.near(pairs):
                found[name].add(position)
    return found


def pairs_of(text: str) -> frozenset[Pair]:
    return frozenset(pairwise(words_of(text)))


@dataclass(frozen=True, eq=False)
class _Entry:
    place: Place
    pairs: frozenset[Pair]


class _Index:
    """The tasks' texts by the pairs that give them away (core.similarity)."""

    def __init__(self, texts: Sequence[tuple[Place, frozenset[Pair]]], training: Path) -> None:
        self._asked_by_tasks = {pair for _, pairs in texts for pair in pairs}
        self._count = _Count(training)
        self._entries: dict[Pair, list[_Entry]] = defaultdict(list)
        for place, pairs in texts:
            entry = _Entry(place, self._own(pairs))
            for pair in self._prefix(entry.pairs) if len(entry.pairs) >= FEWEST_PAIRS else ():
                self._entries[pair].append(entry)

    def near(self, pairs: frozenset[Pair]) -> Iterator[Place]:
        own = self._own(pairs)
        for pair in self._prefix(own):
            for entry in self._entries.get(pair, ()):
                if is_near(own, entry.pairs, NEAR):
                    yield entry.place

    def _own(self, pairs: frozenset[Pair]) -> frozenset[Pair]:
        return frozenset(pair for pair in pairs if not self._count.is_shared(pair))

    def _prefix(self, pairs: frozenset[Pair]) -> list[Pair]:
        """Pairs that no task has come first, and find nothing: for most examples that is the end of it."""
        return prefix_of(pairs, NEAR, order=lambda pair: (pair in self._asked_by_tasks, self._count.of(pair), pair))


class _Count:
    """In how many examples a pair is, in 4 MiB whatever the size of the training.

    One row of a count-min sketch (Cormode and Muthukrishnan 2005): pairs whose checksums collide are counted together,
    which makes next to none of them look like what 1 % share. The checksum is the same in every process, as Python's
    own hash is not: both models must be asked the same rows.
    """

    def __init__(self, training: Path) -> None:
        self._counts = array("I", bytes(4 * _NUM_COUNTERS))
        num_examples = 0
        for messages in _asked(training):
            num_examples += 1
            for counter in {_counter(pair) for pairs in messages for pair in pairs}:
                self._counts[counter] += 1
        self._most = most_examples(num_examples)

    def of(self, pair: Pair) -> int:
        return self._counts[_counter(pair)]

    def is_shared(self, pair: Pair) -> bool:
        return self.of(pair) > self._most


def _counter(pair: Pair) -> int:
    return zlib.crc32(" ".join(pair).encode()) % _NUM_COUNTERS


def _texts(tasks: Mapping[str, Sequence[Row]]) -> Iterator[tuple[Place, str]]:
    for name, rows in tasks.items():
        for position, row in enumerate(rows):
            for text in row.values():
                if isinstance(text, str):
                    yield (name, position), text


def _asked(training: Path) -> Iterator[list[frozenset[Pair]]]:
    """What the user says in each example {"prompt": [message], "completion": [message]}, message by message."""
    with training.open("rb") as lines:
        for line in lines:
            prompt = json.loads(line)["prompt"]
            yield [pairs_of(str(message["content"])) for message in prompt if message["role"] == "user"]
