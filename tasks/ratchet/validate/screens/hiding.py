"""Screens for what must not be learned: each finds it, says of which kind it is, and puts the kind in its place."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ratchet.validate.contract import Action
from ratchet.validate.screens.screen import Screen, batches
from ratchet.validate.sql import quoted

_MOST_PASSES = 5


@dataclass(frozen=True)
class Hidden:
    """A text without what was found in it, and the kinds of that."""

    text: str
    kinds: frozenset[str]


Hide = Callable[[str], Hidden]


def hiding_screen(reason: str, words: str, actions: tuple[Action, ...], candidate: str, hide: Hide) -> Screen:
    """`candidate` is a regular expression for DuckDB that matches at least all texts in which `hide` finds something.

    The detail names the kinds, never what was found.
    """
    table = f"{reason}_hidden"
    likely = " OR ".join(f"regexp_matches({column}, {quoted(candidate)})" for column in ("text", "label"))

    def prepare(db: Any) -> None:
        db.execute(f"CREATE TABLE {table} (row BIGINT, detail VARCHAR, text VARCHAR, label VARCHAR)")
        for batch in batches(db, f"SELECT row, text, label FROM rows WHERE {likely}"):  # noqa: S608
            if found := list(_found(batch, hide)):
                db.execute(
                    f"INSERT INTO {table} SELECT unnest(?), unnest(?), unnest(?), unnest(?)",
                    list(zip(*found, strict=True)),
                )

    return Screen(
        reason,
        words,
        actions,
        f"SELECT row, detail FROM {table}",  # noqa: S608
        prepare,
        f"SELECT row, text, label FROM {table}",  # noqa: S608
    )


def settled(hide: Hide, text: str) -> Hidden:
    """What is left once `hide` changes nothing any more: a mark in place of one thing may uncover another."""
    kinds: frozenset[str] = frozenset()
    for _ in range(_MOST_PASSES):
        hidden = hide(text)
        kinds |= hidden.kinds
        if hidden.text == text:
            break
        text = hidden.text
    return Hidden(text, kinds)


def _found(rows: Iterable[tuple[Any, ...]], hide: Hide) -> Iterable[tuple[int, str, str, str]]:
    for row, text, label in rows:
        in_text, in_label = settled(hide, text), settled(hide, label)
        if kinds := in_text.kinds | in_label.kinds:
            yield row, ", ".join(sorted(kinds)), in_text.text, in_label.text
