"""What the endpoint is asked: built-in prompts of three lengths, or a file of JSON lines.

A line of a file: {"prompt": "Where is my parcel?"} or {"messages": [{"role": "user", "content": "Where is …"}]}
"""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from ratchet.clients.streaming import Messages, user_says
from ratchet.core.errors import TerminalError

# Short, medium, long. The longest leaves room for an answer in a context of 512 tokens even where each byte is one.
WORD_COUNTS = (8, 25, 50)
WORDS = """
    parcel window river answer yellow garden seven engine quiet letter market winter summer bridge simple travel orange
    doctor number coffee middle story paper early minute silver corner music people question mountain record second
    station teacher water friend kitchen animal future morning pocket button castle delivery forest language office
    planet reason school shoulder ticket village weather account balance candle dinner
"""


@dataclass(frozen=True)
class Prompts:
    """`name` says where they are from, with the start of a digest."""

    name: str
    chats: tuple[Messages, ...]

    def at(self, number: int) -> Messages:
        return self.chats[number % len(self.chats)]


def built_in(count: int, seed: int) -> Prompts:
    """Short, medium and long in turn. No two begin alike: an engine keeps what it has read once, and skips it."""
    rng, words = random.Random(seed), WORDS.split()  # noqa: S311 (words, not secrets)
    texts = [
        f"{' '.join(rng.choices(words, k=length))}: write a story about these words."
        for length in islice(cycle(WORD_COUNTS), count)
    ]
    lengths = ", ".join(map(str, WORD_COUNTS))
    return _named(f"built-in prompts of {lengths} words", tuple(user_says(text) for text in texts))


def from_file(path: Path) -> Prompts:
    """Asked in the order of the file, and again from its beginning. Raises TerminalError: names the row."""
    try:
        lines = path.read_text("utf-8").split("\n")  # splitlines also splits at U+2028, within a prompt
    except (OSError, UnicodeDecodeError) as error:
        raise TerminalError(f"--prompts {path}: cannot be read: {error}") from error
    chats = tuple(_chat(f"{path.name}, row {number}", line) for number, line in enumerate(lines, 1) if line.strip())
    if not chats:
        raise TerminalError(f'--prompts {path}: no rows; write one {{"prompt": "…"}} per line')
    return _named(f"{len(chats)} prompts of {path.name}", chats)


def _chat(where: str, line: str) -> Messages:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise TerminalError(f"{where}: expected a JSON object, got {line[:80]!r}: {error}") from error
    if isinstance(row, dict) and isinstance(row.get("prompt"), str) and row["prompt"]:
        return user_says(row["prompt"])
    messages = row.get("messages") if isinstance(row, dict) else None
    if isinstance(messages, list) and messages and all(isinstance(message, dict) for message in messages):
        return messages
    raise TerminalError(f"{where}: expected `prompt` (text) or `messages` (a list of objects), got {line[:80]!r}")


def _named(name: str, chats: Sequence[Messages]) -> Prompts:
    digest = hashlib.sha256(json.dumps(chats, sort_keys=True).encode()).hexdigest()
    return Prompts(f"{name} ({digest[:12]})", tuple(chats))
