"""From rows to the chats of each side, with every row accounted for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ratchet.core.chat import Chat, Length, fill, fitting
from ratchet.core.datasets import Row
from ratchet.core.errors import TerminalError
from ratchet.prepare.budget import refuse_misfits
from ratchet.prepare.contract import SplitPolicy
from ratchet.prepare.distinct import distinct_texts
from ratchet.prepare.sides import SIDES, Side, sides_of


@dataclass(frozen=True)
class Splits:
    """Chats of each side in file order; num_rows is the sum of them and of the four other counts."""

    chats: dict[Side, list[Chat]]
    num_rows: int
    num_duplicates: int
    num_conflicting: int
    num_straddling: int
    num_too_long: int


class TooFewRows(TerminalError, ValueError):
    """A side of the split is empty."""

    code = "DATA_UNUSABLE"


def split(
    rows: Sequence[Row],
    prompt: str,
    policy: SplitPolicy,
    lengths: Callable[[Sequence[Chat]], list[Length]],
    max_tokens: int,
) -> Splits:
    """Raises TooFewRows, TooLong, NothingToLearn, BadPrompt."""
    texts = distinct_texts(rows)
    # Texts that are left out below take their place here too: whether they are left out changes as data grows.
    sides = sides_of([text.key for text in texts], policy)
    kept = [(side, text.row) for side, text in zip(sides, texts, strict=True) if side and text.row]
    chats = [Chat(row.id, fill(prompt, row.text), row.label) for _, row in kept]
    measured = lengths(chats)
    refuse_misfits(chats, measured, max_tokens)
    fits = fitting(measured, max_tokens)
    by_side: dict[Side, list[Chat]] = {side: [] for side in SIDES}
    for (side, _), chat, fit in zip(kept, chats, fits, strict=True):
        if fit:
            by_side[side].append(chat)
    if not all(by_side.values()):
        sizes = ", ".join(f"{len(by_side[side])} {side}" for side in SIDES)
        raise TooFewRows(
            f"{len(rows)} rows ({len(texts)} different texts) give {sizes} rows: expected at least one on each side; "
            "near-duplicates share a side, so add rows that differ"
        )
    settled = [text for side, text in zip(sides, texts, strict=True) if side]
    return Splits(
        chats=by_side,
        num_rows=len(rows),
        num_duplicates=sum(text.num_duplicates for text in settled),
        num_conflicting=sum(text.num_conflicting for text in settled),
        num_straddling=len(rows) - sum(text.num_duplicates + text.num_conflicting + bool(text.row) for text in settled),
        num_too_long=fits.count(False),
    )
