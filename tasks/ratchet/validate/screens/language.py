"""Texts in a language that the recipe does not name."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from ratchet.validate.policy import WARNS
from ratchet.validate.screens.screen import Screen, batches

# A text is decided when one other language is likely and all those allowed together are not; short ones seldom are.
_LEAST_LIKELY, _MOST_ALLOWED = 0.6, 0.05


def language_screen(languages: Sequence[str]) -> Screen:
    """`languages`: ISO 639-1 codes; with none of them nothing is looked for."""
    return Screen(
        "language",
        f"the text is in one of these languages, or too short to tell: {', '.join(languages) or 'any'}",
        WARNS,
        "SELECT row, detail FROM other_language",
        partial(_prepare, languages=frozenset(languages)),
    )


def _prepare(db: Any, languages: frozenset[str]) -> None:
    db.execute("CREATE TABLE other_language (row BIGINT, detail VARCHAR)")
    if not languages:
        return
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    for rows in batches(db, "SELECT row, text FROM rows"):
        found = [(row, f"in {other}") for row, text in rows if (other := _other(identifier, text, languages))]
        if found:
            db.execute("INSERT INTO other_language SELECT unnest(?), unnest(?)", list(zip(*found, strict=True)))


def _other(identifier: Any, text: str, languages: frozenset[str]) -> str | None:
    language, likelihood = identifier.classify(text)
    if language in languages or likelihood < _LEAST_LIKELY:
        return None
    allowed = sum(other for name, other in identifier.rank(text) if name in languages)
    return str(language) if allowed <= _MOST_ALLOWED else None
