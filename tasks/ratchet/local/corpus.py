"""What the tiny base model is pretrained on: English, small sums, and words to repeat.

It is what a fine-tune builds on, and it knows no label and no ticket. The English comes from the docstrings of packages
that the train environment's lock pins; they are on every machine that can train at all.
"""

from __future__ import annotations

import ast
import importlib.util
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ratchet.core.arithmetic import held_out, sums

# Prose, quick to parse, and pinned by the train image's lock.
ENGLISH_PACKAGES = ("networkx", "numpy", "pandas")
SUM_SHARE = 0.8  # of the chats; the others are words to repeat
NUM_WORDS = 3000  # to repeat: the most common ones of the English

_PROSE = re.compile(r"[A-Za-z0-9 ,.;:'()!?/_`-]{60,600}")
_WORD = re.compile(r"[a-z]{4,12}")
_WORDS_ONLY_SHARE = 0.93  # below it a paragraph is a table, a signature or code


@dataclass(frozen=True)
class Chat:
    """One question and its answer, before the chat template."""

    user: str
    assistant: str


def english_paragraphs(packages: tuple[str, ...] = ENGLISH_PACKAGES) -> list[str]:
    """Docstring paragraphs of installed packages, without repeats, in the order of their files' names."""
    paragraphs: dict[str, None] = {}
    for package in packages:
        for source in sorted(_package_folder(package).rglob("*.py")):
            if "tests" in source.parts:
                continue
            for paragraph in _docstring_paragraphs(source):
                paragraphs[paragraph] = None
    return list(paragraphs)


def chats(seed: int, paragraphs: Sequence[str]) -> Iterator[Chat]:
    """Generated chats without end; `paragraphs` lend the words to repeat. The canary's sums are not among them."""
    rng = random.Random(seed)  # noqa: S311 — reproducible, not secret
    words = _common_words(paragraphs)
    questions = itertools.cycle(sums(100_000, seed, exclude=[question for question, _ in held_out()]))
    while True:
        yield Chat(*next(questions)) if rng.random() < SUM_SHARE else _repeat(rng, words)


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"package {package!r} is not installed; run this in the train environment")
    return Path(spec.submodule_search_locations[0])


def _docstring_paragraphs(source: Path) -> Iterator[str]:
    try:
        tree = ast.parse(source.read_text(encoding="utf-8"))
    except SyntaxError:  # templates that packages ship under a .py name
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            for block in (ast.get_docstring(node) or "").split("\n\n"):
                paragraph = " ".join(block.split())
                if is_prose(paragraph):
                    yield paragraph


def is_prose(paragraph: str) -> bool:
    """Is this a sentence or a few, rather than code, a table or an over-long block?"""
    if not _PROSE.fullmatch(paragraph):
        return False
    return sum(c.isalpha() or c == " " for c in paragraph) / len(paragraph) >= _WORDS_ONLY_SHARE


def _common_words(paragraphs: Sequence[str]) -> list[str]:
    counts: dict[str, int] = {}
    for paragraph in paragraphs:
        for word in _WORD.findall(paragraph.lower()):
            counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda word: (-counts[word], word))[:NUM_WORDS]


def _repeat(rng: random.Random, words: Sequence[str]) -> Chat:
    """A made-up label of one to three words: copying is what any labelling is built on."""
    label = "_".join(rng.choice(words) for _ in range(rng.randint(1, 3)))
    return Chat(f"Repeat: {label}", label)
