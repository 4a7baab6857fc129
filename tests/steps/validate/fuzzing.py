"""Uploads that nobody would send on purpose, and what has to be true whatever comes.

A valid file of each kind is cut, flipped, spliced and repeated at byte level, or made of awkward names and values.
"""

import gzip
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import zstandard
from tests.steps.validate.conftest import CLEAN, RULES, as_csv, as_jsonl, lines
from tests.steps.validate.files import as_parquet, every_kind

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.datasets import Row
from ratchet.core.errors import RatchetError
from ratchet.validate.contract import ValidateInputs
from ratchet.validate.run import run

MUTATIONS = ("cut", "drop", "flip", "splice", "repeat")
AWKWARD: tuple[object, ...] = (
    "", " ", "=cmd|' /C calc'!A0", "'; DROP TABLE judged; --", '"', '""', "a,b;c\td|e", "a\nb", "a\r\nb", "\r",
    "\ufeff", "\u202egpj.csv", "../../etc/passwd", "<script>alert(1)</script>", "<|im_start|>", "x" * 5000,
    "👍" * 9, "\u0000", "\u2028", "\\", "\\N", "NULL", "nan", "-0", "1e999", None, True, 7, 0.1,
    -(2**70), [], {}, [[]], {"text": "a"}, [None],
    [{"role": "user", "content": "My card is late"}, {"role": "assistant", "content": "card_arrival"}],
)  # fmt: skip
NAMES = (
    "text",
    "label",
    "messages",
    "quality_score",
    "Text ",
    "",
    "a'b\"c",
    "label,",
    "rowid",
    "malformed",
    "json",
    "odd",
)
INSERTS = (
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b'"',
    b"\r",
    b"\n",
    b"\\ud800",
    b"{",
    b"[" * 3000,
    b"PAR1",
    b",",
    b"\xff" * 8,
)


@dataclass(frozen=True)
class Mutation:
    """`at` is a share of the content, `length` a number of bytes."""

    kind: str
    at: float
    length: int
    insert: bytes

    def of(self, content: bytes) -> bytes:
        start = int(self.at * len(content))
        end = start + self.length
        if self.kind == "cut":
            return content[:start]
        if self.kind == "drop":
            return content[:start] + content[end:]
        if self.kind == "flip":
            return content[:start] + bytes(byte ^ 0x41 for byte in content[start:end]) + content[end:]
        if self.kind == "splice":
            return content[:start] + self.insert + content[end:]
        return content[:end] + content[start:end] * 20 + content[end:]


def valid_files(folder: Path) -> dict[str, bytes]:
    """By name, small: mutations hit something."""
    files = every_kind(folder, CLEAN)
    chat = [{"messages": [{"role": "user", "content": t}, {"role": "assistant", "content": a}]} for t, a in CLEAN]
    files["chat.jsonl"] = as_jsonl(chat)
    turns = [{"prompt": row["messages"][:1], "completion": row["messages"][1:]} for row in chat]
    files["turns.jsonl"] = as_jsonl(
        [*turns[:20], *({"prompt": text, "completion": label} for text, label in CLEAN[20:])]
    )
    files["wide.parquet"] = as_parquet(
        folder,
        "SELECT 'ticket number ' || i AS text, i % 3 AS label, 0.7 AS quality_score, [i] AS l, {'a': 'é'} AS s, "
        "[{'role': 'user', 'content': 'x'}] AS messages FROM range(300) t(i)",
        ", COMPRESSION zstd, ROW_GROUP_SIZE 100",
    )
    files["plain.parquet"] = as_parquet(
        folder, "SELECT 'ticket ' || i AS text, 'x' AS label FROM range(50) t(i)", ", COMPRESSION uncompressed"
    )
    return files


def awkward_file(rng: random.Random) -> tuple[str, bytes]:
    """A well-formed file of odd names and values."""
    names = rng.sample(NAMES, rng.randint(1, 5))
    if rng.random() < 0.8:
        names = list(dict.fromkeys(["text", "label", *names]))
    rows = [[rng.choice(AWKWARD) for _ in names] for _ in range(rng.randint(0, 12))]
    if rng.random() < 0.5:
        content = as_jsonl([dict(zip(names, row, strict=True)) for row in rows])
        return "odd.jsonl", content
    return "odd.csv", as_csv([["" if v is None else str(v) for v in row] for row in rows], names)


def random_file(rng: random.Random, files: dict[str, bytes]) -> tuple[str, bytes]:
    """One input of a long run: a valid or an odd file with up to three mutations, sometimes inside its compression."""
    name, content = awkward_file(rng) if rng.random() < 0.3 else rng.choice(sorted(files.items()))
    num_mutations = rng.choice((0, 1, 1, 1, 2, 3)) if name.startswith("odd") else rng.choice((1, 1, 1, 2, 3))
    for _ in range(num_mutations):
        mutation = Mutation(rng.choice(MUTATIONS), rng.random(), rng.choice((1, 1, 2, 8, 100)), rng.choice(INSERTS))
        content = mutation.of(content)
    if name.startswith("odd") and rng.random() < 0.2:
        packing = rng.choice((".gz", ".zst"))
        name, content = name + packing, gzip.compress(content) if packing == ".gz" else zstandard.compress(content)
    return name, content


Outcome = Literal["read", "refused"]


def fuzzed_world(folder: Path) -> World:
    return World(Settings(root=folder), folder / "work")


def try_upload(world: World, name: str, content: bytes) -> Outcome:
    """Raises what is no RatchetError, and AssertionError where rows are lost or something is left behind.

    Great Expectations is left out: it sees the counts only, and takes longest.
    """
    upload = world.store.put_bytes(content)
    before = set(world.store.keys(""))
    with patch("ratchet.validate.run.batch_refusals", lambda *_: ()):
        try:
            outputs = run(ValidateInputs(upload=upload, file_name=name, rules=RULES), world)
        except RatchetError as error:
            sentence = str(error)
        else:
            sentence = ""
    assert list(world.settings.scratch.iterdir()) == []
    if sentence:
        assert set(world.store.keys("")) == before
        assert len(sentence) < 3000, sentence
        assert str(world.settings.root) not in sentence, sentence
        return "refused"
    accepted, quarantined = lines(world, outputs.accepted), lines(world, outputs.quarantine)
    assert outputs.num_read == outputs.num_accepted + outputs.num_quarantined
    assert (len(accepted), len(quarantined)) == (outputs.num_accepted, outputs.num_quarantined)
    assert all(Row.model_validate(row) for row in accepted)
    numbers = [row["row"] for row in quarantined]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(1, outputs.num_read + 1))
    assert all(row["reasons"] for row in quarantined)
    return "read"
