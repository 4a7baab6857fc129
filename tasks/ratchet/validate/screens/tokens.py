"""Rows that are too long to be trained on, in the tokens of the recipe's base."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ratchet.core.chat import Chat, fill, fitting
from ratchet.validate.policy import WARNS
from ratchet.validate.screens.screen import Screen, batches

# Where text meets template and label, a tokenizer may put a mark of its own (SentencePiece's space) on each side.
_SLACK = 8


@dataclass(frozen=True)
class TrainingLength:
    """`base` is a model's folder (its weights are not needed); `prompt` has one field, {text}."""

    base: Path
    prompt: str
    max_tokens: int


def tokens_screen(length: TrainingLength | None) -> Screen:
    """Without a length nothing is looked for."""
    limit = f"up to {length.max_tokens} tokens of the base (max_seq_len_tokens)" if length else "any number of tokens"
    return Screen(
        "tokens",
        f"prompt, text and label together have {limit}: a row of more is not trained on",
        WARNS,
        "SELECT row, detail FROM too_many_tokens",
        partial(_prepare, length=length),
    )


def _prepare(db: Any, length: TrainingLength | None) -> None:
    db.execute("CREATE TABLE too_many_tokens (row BIGINT, detail VARCHAR)")
    if length is None:
        return
    from ratchet.clients.tokenizer import ChatTokenizer

    tokenizer = ChatTokenizer(length.base)
    [empty] = tokenizer.lengths([Chat("", fill(length.prompt, ""), "")])
    room = length.max_tokens - empty.tokens - _SLACK
    for rows in batches(db, f"SELECT row, text, label FROM rows WHERE NOT ({_surely_fits(room)})"):  # noqa: S608
        measured = tokenizer.lengths([Chat("", fill(length.prompt, text), label) for _, text, label in rows])
        found = [
            (row, f"{one.tokens} tokens")
            for (row, _, _), one, fits in zip(rows, measured, fitting(measured, length.max_tokens), strict=True)
            if not fits
        ]
        if found:
            db.execute("INSERT INTO too_many_tokens SELECT unnest(?), unnest(?)", list(zip(*found, strict=True)))


def _surely_fits(room: int) -> str:
    """SQL. Counting is slow, most rows are short, and of ASCII no tokenizer makes more tokens than characters."""
    return f"strlen(text) = length(text) AND strlen(label) = length(label) AND length(text) + length(label) <= {room}"
