"""Texts that the recipe's own classifier calls harmful."""

from functools import partial
from typing import Any

from ratchet.clients.moderation import ASKED_AT_ONCE, Moderator
from ratchet.validate.policy import WARNS
from ratchet.validate.screens.screen import Screen, batches

_MOST_CHARACTERS = 200  # of what a classifier calls the harm


def toxicity_screen(moderator: Moderator | None) -> Screen:
    """Without a classifier nothing is looked for."""
    return Screen(
        "toxicity",
        f"text and label are not harmful to the classifier {moderator.model if moderator else '(none)'}",
        WARNS,
        "SELECT row, detail FROM harmful",
        partial(_prepare, moderator=moderator),
    )


def _prepare(db: Any, moderator: Moderator | None) -> None:
    db.execute("CREATE TABLE harmful (row BIGINT, detail VARCHAR)")
    if moderator is None:
        return
    for rows in batches(db, "SELECT row, text, label FROM rows"):
        for start in range(0, len(rows), ASKED_AT_ONCE):
            some = rows[start : start + ASKED_AT_ONCE]
            told = moderator.harms([f"{text}\n{label}" for _, text, label in some])
            found = [
                (row, _in_words(harms)) for (row, _, _), harms in zip(some, told, strict=True) if harms is not None
            ]
            if found:
                db.execute("INSERT INTO harmful SELECT unnest(?), unnest(?)", list(zip(*found, strict=True)))


def _in_words(harms: frozenset[str]) -> str:
    return ", ".join(sorted(harms))[:_MOST_CHARACTERS] or "flagged"
