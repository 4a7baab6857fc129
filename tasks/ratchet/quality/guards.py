"""Counts texts that are harmful, or that speak to the model and not to a reader. Nothing of them is put out."""

from collections.abc import Sequence
from typing import Any

from ratchet.clients.captured import Exchange
from ratchet.clients.moderation import ASKED_AT_ONCE, Moderator
from ratchet.core.injection import gives_orders, has_template_token, hides_text
from ratchet.core.quality import SIDES, Guard, Side

# What validate's rules injection, hidden_text and template_token look for in rows.
_INJECTION = " OR ".join(
    f"coalesce({breaks('text')}, false)" for breaks in (gives_orders, hides_text, has_template_token)
)


def counted(exchanges: Sequence[Exchange], moderator: Moderator | None) -> dict[tuple[Guard, Side], int]:
    """How many prompts and how many answers break each guard; without a moderator none is asked whether it is toxic.

    Raises ModeratorAway, NoModerator.
    """
    texts: dict[Side, list[str]] = {
        "prompt": [one.text for one in exchanges],
        "answer": [one.answer for one in exchanges],
    }
    counts: dict[tuple[Guard, Side], int] = {("injection", side): injections(texts[side]) for side in SIDES}
    if moderator:
        counts |= {("toxic", side): harmful(texts[side], moderator) for side in SIDES}
    return counts


def injections(texts: Sequence[str]) -> int:
    import duckdb

    with duckdb.connect() as db:
        [(count,)] = _rows(db, f"SELECT count(*) FROM (SELECT unnest(?) AS text) WHERE {_INJECTION}", texts)  # noqa: S608
    return int(count)


def harmful(texts: Sequence[str], moderator: Moderator) -> int:
    """An empty text harms nobody, and classifiers may refuse it."""
    said = [text for text in texts if text.strip()]
    batches = (said[start : start + ASKED_AT_ONCE] for start in range(0, len(said), ASKED_AT_ONCE))
    return sum(harms is not None for batch in batches for harms in moderator.harms(batch))


def _rows(db: Any, query: str, texts: Sequence[str]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = db.execute(query, [list(texts)]).fetchall()
    return found
