"""What the example rows of a receipt say, in one short line each, unless that is private.

A receipt is read by more people than the data: it shows no text of a row in which something private was found, whatever
the recipe does about such rows, and none in which a row that left before the screens would have shown something.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ratchet.validate.contract import Example, ReasonCount
from ratchet.validate.screens.personal import hide_personal
from ratchet.validate.screens.screen import Screen
from ratchet.validate.screens.secrets import hide_secrets

SHOWN_CHARACTERS = 80
# A text is looked at as a whole before any of it is shown; a longer one, which is too long for any rule, is not shown.
_MOST_CHARACTERS = 10_000

Ask = Callable[[str], list[Any]]


def with_texts(
    ask: Ask, reasons: Sequence[ReasonCount], screens: Iterable[Screen], phone_regions: Sequence[str]
) -> tuple[ReasonCount, ...]:
    """The same counts, their examples with what the rows say.

    Args:
        ask: SQL about the view `verdicts` to rows.
        screens: those that hide what they find are about what nobody may read.
        phone_regions: countries (ISO 3166) whose phone numbers are also found without a country code.
    """
    private = [screen.reason for screen in screens if screen.hidden_sql]
    rows = {example.row for reason in reasons for example in reason.examples}
    shown = {
        row: shortened(text)
        for row, text in (_texts(ask, rows, private) if rows else ())
        if not (hide_secrets(text).kinds or hide_personal(text, phone_regions).kinds)
    }
    return tuple(
        reason.model_copy(
            update={"examples": tuple(Example(row=one.row, text=shown.get(one.row)) for one in reason.examples)}
        )
        for reason in reasons
    )


def shortened(text: str) -> str:
    """One line of printable characters: who sends a text must not steer a terminal or reorder a page with it."""
    line = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in " ".join(text.split()))
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[: SHOWN_CHARACTERS - 1]}…"


def _texts(ask: Ask, rows: Iterable[int], private: list[str]) -> list[tuple[int, str]]:
    reasons = "list_concat(reasons, warnings, redactions)"
    return ask(
        f"SELECT row, text FROM verdicts WHERE row IN ({', '.join(map(str, sorted(rows)))}) "  # noqa: S608
        f"AND length(text) <= {_MOST_CHARACTERS} AND NOT list_has_any({reasons}, {private}::VARCHAR[])"
    )
