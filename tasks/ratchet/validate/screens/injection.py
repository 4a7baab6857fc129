"""Texts that give orders to the model, and characters that hide what a text says."""

from collections.abc import Callable

from ratchet.core.injection import gives_orders, hides_text
from ratchet.validate.policy import ANY_ACTION, WARNS
from ratchet.validate.screens.screen import Screen


def _either(breaks: Callable[[str], str]) -> str:
    """SQL for the rows whose text or label breaks the rule, and which of both does."""
    matches = {column: breaks(column) for column in ("text", "label")}
    return (
        f"SELECT row, CASE WHEN {matches['text']} THEN 'in the text' ELSE 'in the label' END AS detail "  # noqa: S608
        f"FROM rows WHERE {matches['text']} OR {matches['label']}"
    )


INJECTION = (
    Screen("injection", "no orders to the model, such as to ignore its instructions", WARNS, _either(gives_orders)),
    Screen("hidden_text", "no invisible characters that hide or reorder text", ANY_ACTION, _either(hides_text)),
)
