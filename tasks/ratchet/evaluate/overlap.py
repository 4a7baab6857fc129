"""Samples that the training has seen: what they measure is memory, so they are left out of every comparison."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ratchet.evaluate.rows import Row

# Brown et al. 2020, Language Models are Few-Shot Learners, appendix C: as many words in a row as the text has, between
# 8 and 13, are no coincidence.
MOST_WORDS = 13
FEWEST_WORDS = 8
_WORDS_OF_A_QUESTION = 3  # a text of fewer, such as a label, is none

BOILERPLATE_EXAMPLES, BOILERPLATE_SHARE = 20, 0.01

Gram = tuple[str, ...]


def overlapping(tasks: Mapping[str, Sequence[Row]], training: Path) -> dict[str, set[int]]:
    """Per task, the positions of rows that a training example holds.

    A text of 13 words or more is held when any 13 of them in a row are; a shorter one when all of it is; one of fewer
    than 8 words when it is the whole example.

    Args:
        tasks: task name → its rows; each text of a row counts.
        training: prepare's JSON lines; read line by line, so memory depends on the tasks alone.
    """
    places: dict[Gram, list[tuple[str, int]]] = {}
    for name, rows in tasks.items():
        for position, row in enumerate(rows):
            for text in row.values():
                if isinstance(text, str):
                    for gram in _told_by(words_of(text)):
                        places.setdefault(gram, []).append((name, position))
    lengths = sorted({len(gram) for gram in places if len(gram) >= FEWEST_WORDS})
    num_examples, seen = 0, Counter[Gram]()
    with training.open("rb") as lines:
        for line in lines:
            num_examples += 1
            seen.update(gram for gram in _held(json.loads(line), lengths) if gram in places)
    most = most_examples(num_examples)
    found: dict[str, set[int]] = {name: set() for name in tasks}
    for gram, count in seen.items():
        for name, position in places[gram] if count <= most else ():
            found[name].add(position)
    return found


def most_examples(num_examples: int) -> float:
    """What more of all examples say is the prompt around the question, not a question."""
    return max(BOILERPLATE_EXAMPLES, BOILERPLATE_SHARE * num_examples)


def words_of(text: str) -> Gram:
    """Letters and digits alone, in lower case: neither punctuation nor layout hides a question."""
    return tuple(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _told_by(words: Gram) -> Iterator[Gram]:
    """What gives a text away."""
    if len(words) >= _WORDS_OF_A_QUESTION:
        yield from _in_a_row(words, min(len(words), MOST_WORDS))


def _in_a_row(words: Gram, length: int) -> Iterator[Gram]:
    return (words[start : start + length] for start in range(len(words) - length + 1))


def _held(example: Mapping[str, Any], lengths: Sequence[int]) -> set[Gram]:
    """All that an example {"prompt": [message], "completion": [message]} says."""
    texts = [words_of(str(message["content"])) for message in (*example["prompt"], *example["completion"])]
    return {*texts, *(gram for words in texts for length in lengths for gram in _in_a_row(words, length))}
