"""A world in a temporary folder, and uploads from text."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.refs import FileRef
from ratchet.validate.contract import DataRules, ValidateInputs, ValidateOutputs
from ratchet.validate.run import run

ROOT = Path(__file__).parents[3]
SUITE = (ROOT / "expectations" / "support.json").read_text("utf-8")
RULES = DataRules(suite_json=SUITE, min_rows=1)
LABELS = ("card_arrival", "lost_card", "refund")
CLEAN = [(f"My ticket number {n} is about cards", LABELS[n % 3]) for n in range(30)]

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


def as_csv(rows: Sequence[Sequence[str]], header: Sequence[str] = ("text", "label")) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    return buffer.getvalue().encode()


def as_jsonl(rows: Sequence[object]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def lines(world: World, ref: FileRef) -> list[dict[str, Any]]:
    return [json.loads(line) for line in world.store.read_bytes(ref).splitlines()]
