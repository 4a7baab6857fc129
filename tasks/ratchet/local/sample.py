"""The sample data set: support tickets and their intents, with the dirt that real exports have.

    python -m ratchet.local.sample OUT.csv

A record: text="Good morning, the kettle is still not here. It was due on Monday.", label="late_delivery",
quality_score="0.91". Names, addresses and numbers are made up, in ranges that are reserved for examples.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ratchet.local.sample_phrases import CLOSINGS, CONTEXTS, INTENTS, OPENINGS, SLOTS

SEED = 7
NUM_ROWS = 2400
# Share of the rows that each kind of dirt gets. The first four are for validation to reject, or for dedupe to find.
NO_TEXT, TOO_SHORT, TOO_LONG, BAD_SCORE = 0.008, 0.006, 0.003, 0.012
DUPLICATE, NEAR_DUPLICATE, WRONG_LABEL = 0.03, 0.04, 0.015
PERSONAL, UNUSUAL_UNICODE, LINE_BREAKS = 0.06, 0.05, 0.05

_CHOICE = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True)
class Row:
    text: str
    label: str
    quality_score: str


def generate(path: Path, seed: int = SEED, num_rows: int = NUM_ROWS) -> None:
    """Write `num_rows` rows as CSV with a header; the same bytes for the same arguments."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("text", "label", "quality_score"))
        writer.writerows((row.text, row.label, row.quality_score) for row in rows(seed, num_rows))


def rows(seed: int, num_rows: int) -> list[Row]:
    """The clean rows, each kind of dirt on its share of them, and repeats, in random order."""
    rng = random.Random(seed)  # noqa: S311 — reproducible, not secret
    num_repeats = round(num_rows * DUPLICATE), round(num_rows * NEAR_DUPLICATE)
    tickets = [clean_row(rng) for _ in range(num_rows - sum(num_repeats))]
    for share, soil in _DIRT:
        for index in rng.sample(range(len(tickets)), round(num_rows * share)):
            tickets[index] = soil(tickets[index], rng)
    tickets += rng.sample(tickets, num_repeats[0])
    tickets += [replace(row, text=_retyped(row.text, rng)) for row in rng.sample(tickets, num_repeats[1])]
    rng.shuffle(tickets)
    return tickets


def clean_row(rng: random.Random) -> Row:
    """One ticket without dirt."""
    label = rng.choice(list(INTENTS))
    parts = [_say(rng.choice(INTENTS[label]), rng)]
    if rng.random() < 0.30:
        parts.insert(0, _say(rng.choice(CONTEXTS), rng))
    if rng.random() < 0.35:
        parts.insert(0, _say(rng.choice(OPENINGS), rng))
    if rng.random() < 0.35:
        parts.append(_say(rng.choice(CLOSINGS), rng))
    text = " ".join(parts)
    return Row(_typed(text, rng), label, f"{rng.uniform(0.6, 1.0):.2f}")


def _say(phrase: str, rng: random.Random) -> str:
    """Choose one of every [a|b|c], innermost first, then fill every {slot} and every # (a digit)."""
    while choice := _CHOICE.search(phrase):
        phrase = phrase[: choice.start()] + rng.choice(choice[1].split("|")) + phrase[choice.end() :]
    phrase = phrase.format_map({slot: rng.choice(words) for slot, words in SLOTS.items()})
    return re.sub("#", lambda _: str(rng.randrange(10)), phrase)


def _typed(text: str, rng: random.Random) -> str:
    """As people type: some without capitals or the full stop, some with a slip of the finger."""
    if rng.random() < 0.25:
        text = text.lower()
    if rng.random() < 0.25:
        text = text.rstrip(".")
    if rng.random() < 0.12:
        at = rng.randrange(1, len(text) - 1)
        text = text[:at] + rng.choice((text[at] * 2, "", text[at] + text[at - 1])) + text[at + 1 :]
    return text


def _retyped(text: str, rng: random.Random) -> str:
    """The same ticket sent again, a little different."""
    return rng.choice((text.upper(), text.lower() + " ", f"{text}!!", text.replace(" ", "  "), f"Again: {text}"))


def _with_wrong_label(row: Row, rng: random.Random) -> Row:
    return replace(row, label=rng.choice([label for label in INTENTS if label != row.label]))


def _with_personal_data(row: Row, rng: random.Random) -> Row:
    name, surname = _say("{name}", rng), _say("{surname}", rng)
    contact = rng.choice(
        (
            f"My e-mail is {name.lower()}.{surname.lower()}@example.com.",
            f"You can call me on +1 202 555 01{rng.randrange(100):02}.",
            f"{name} {surname}, {rng.randrange(1, 99)} Mill Lane",
            f"Card 4000 0000 0000 {rng.randrange(10_000):04}, {name} {surname}.",
        )
    )
    return replace(row, text=f"{row.text} {contact}")


def _with_unusual_unicode(row: Row, rng: random.Random) -> Row:
    soiled: Callable[[str], str] = rng.choice(
        (
            lambda text: text.replace("'", "\u2019").replace("-", "\u2014") + " \U0001f620\U0001f64f",
            lambda text: text.replace(" ", "\u00a0", 2),
            lambda text: text.replace("e", "e\u0301", 1),
            lambda text: f"\u200b{text}\u200b",
            lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text[:12]) + text[12:],
            lambda text: f"{text} \u202bشكرا\u202c",
            lambda text: f"{text} Grüße, Łukasz Nuñez",
        )
    )
    return replace(row, text=soiled(row.text))


def _with_line_breaks(row: Row, rng: random.Random) -> Row:
    return replace(row, text=row.text.replace(". ", rng.choice((".\n", ".\n\n", ".\r\n"))) + "\n\nSent from my phone")


def _too_long(row: Row, rng: random.Random) -> Row:
    quoted = "\n".join(f"> {clean_row(rng).text}" for _ in range(100))
    return replace(row, text=f"{row.text}\n{quoted}")


_DIRT: tuple[tuple[float, Callable[[Row, random.Random], Row]], ...] = (
    (WRONG_LABEL, _with_wrong_label),
    (PERSONAL, _with_personal_data),
    (UNUSUAL_UNICODE, _with_unusual_unicode),
    (LINE_BREAKS, _with_line_breaks),
    (BAD_SCORE, lambda row, rng: replace(row, quality_score=rng.choice(("0.12", "0.35", "0.59", "1.40", "-1", "9.0")))),
    (TOO_LONG, _too_long),
    (TOO_SHORT, lambda row, rng: replace(row, text=rng.choice(("help", "hi", "???", "Urgent", "test", "asap!")))),
    (NO_TEXT, lambda row, rng: replace(row, text=rng.choice(("", "", " ", "\n\t ")))),
)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m ratchet.local.sample", description=__doc__)
    parser.add_argument("path", type=Path, help="the CSV file to write")
    generate(parser.parse_args(arguments).path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
