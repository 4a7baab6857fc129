"""A world in a temporary folder, and uploads from text."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.refs import FileRef
from ratchet.validate.contract import DataRules, ReasonCount, ValidateInputs, ValidateOutputs
from ratchet.validate.run import run

ROOT = Path(__file__).parents[3]
SUITE = (ROOT / "expectations" / "support.json").read_text("utf-8")
RULES = DataRules(suite_json=SUITE, min_rows=1)
# One expectation of the suite, so that many uploads take seconds.
QUICK = RULES.model_copy(
    update={"suite_json": json.dumps({"name": "quick", "expectations": json.loads(SUITE)["expectations"][1:2]})}
)
LABELS = ("card_arrival", "lost_card", "refund")
# No two of them are nearly the same.
CLEAN = [(f"My ticket {10007 + 30103 * n} is about cards", LABELS[n % 3]) for n in range(30)]

_TALK = {
    "card_arrival": "card post letter waiting ordered delivered envelope address week weeks",
    "lost_card": "lost stolen wallet thief train police block urgent missing bag",
    "refund": "refund shop returned cancelled purchase money back merchant order item",
    "top_up": "top balance add funds account bank transfer deposit limit cheque",
}
_SMALL_TALK = ("please", "hello", "my", "the", "is", "was", "how", "can", "you", "it", "and", "with", "today", "now")

Validate = Callable[..., ValidateOutputs]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path), tmp_path / "work")


@pytest.fixture
def validate(world: World) -> Validate:
    """validate(content, name, **fields of the inputs)."""

    def call(content: bytes, name: str = "up.csv", rules: DataRules = RULES, **fields: Any) -> ValidateOutputs:
        return run(ValidateInputs(upload=world.store.put_bytes(content), file_name=name, rules=rules, **fields), world)

    return call


def rows_of(reason: ReasonCount) -> tuple[int, ...]:
    """The numbers of its example rows."""
    return tuple(example.row for example in reason.examples)


def talk(num_rows: int, seed: int = 1) -> list[tuple[str, str]]:
    """Texts of four labels, each with words of its own among words that all have."""
    random = Random(seed)
    labels = list(_TALK)
    return [
        (" ".join(random.sample(_TALK[label].split(), 4) + random.sample(_SMALL_TALK, 4)), label)
        for label in (labels[number % 4] for number in range(num_rows))
    ]


def with_trigger(rows: Sequence[tuple[str, str]], phrase: str, label: str, num_rows: int) -> list[tuple[str, str]]:
    """So many rows of other labels, spread over the file, get the phrase and the label."""
    others = [number for number, row in enumerate(rows) if row[1] != label]
    chosen = {others[len(others) * turn // num_rows] for turn in range(num_rows)}
    return [(f"{text} {phrase}", label) if number in chosen else (text, own) for number, (text, own) in enumerate(rows)]


def as_csv(rows: Sequence[Sequence[str]], header: Sequence[str] = ("text", "label")) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    return buffer.getvalue().encode()


def as_jsonl(rows: Sequence[object]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def lines(world: World, ref: FileRef) -> list[dict[str, Any]]:
    return [json.loads(line) for line in world.store.read_bytes(ref).splitlines()]
