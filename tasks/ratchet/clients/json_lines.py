"""Finds a line in files of JSON lines that others write to and rotate, without reading them whole."""

import json
import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any


def newest_first(paths: Iterable[Path]) -> list[Path]:
    """Those that are still there: a file may be rotated away meanwhile."""
    changed = {}
    for path in paths:
        try:
            changed[path] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue
    return sorted(changed, key=changed.__getitem__, reverse=True)


def find_last(
    paths: Iterable[Path], field: str, value: str, fits: Callable[[dict[str, Any]], bool]
) -> dict[str, Any] | None:
    """The last whole line whose `field` is `value` and that fits, of the first file that has one."""
    for path in paths:
        for line in _lines_with(path, _json(field), _json(value)):
            told = parsed(line)
            if told.get(field) == value and fits(told):
                return told
    return None


def _lines_with(path: Path, field: bytes, value: bytes) -> Iterator[bytes]:
    """From the end. A line without its end is still being written.

    A value that stands in every line, under another field, must not cost their parsing: who asks may choose it.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        if not os.fstat(file.fileno()).st_size:
            return  # which cannot be mapped
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            before = len(content)
            while (at := content.rfind(value, 0, before)) >= 0:
                before = at
                is_of_field = content[max(0, at - len(field) - 2) : at].rstrip(b" :").endswith(field)
                if is_of_field and (end := content.find(b"\n", at)) >= 0:
                    yield content[content.rfind(b"\n", 0, at) + 1 : end]


def _json(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")


def parsed(line: bytes | str) -> dict[str, Any]:
    """Empty where the line is no JSON object."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
