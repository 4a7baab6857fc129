"""The truth about answers, which comes after them: what somebody's system of record says they should have been.

labels/2026-01-12-labels.jsonl
{"request_id": "9f…", "label": "change_address"}
"""

import json
from collections.abc import Iterator
from pathlib import Path

FILES = "????-??-??-labels.jsonl"


def labels(folder: Path) -> dict[str, str]:
    """Request id → label, of all that is kept; the last one told counts."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob(FILES)):
        found.update(_in(path))
    return found


def _in(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_bytes().splitlines()  # bytes: text also splits at U+2028, which labels may have
    except FileNotFoundError:  # its time was over just now
        return
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:  # a command that was killed left half a line
            continue
        yield told["request_id"], told["label"]
