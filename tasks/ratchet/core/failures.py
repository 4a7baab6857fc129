"""What a person can know and do about each way to fail: the table of failures.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

TABLE = "failures.toml"


@dataclass(frozen=True)
class Failure:
    """A row. `waiting` answers whether doing nothing is safe; `see` is a page of docs/ and its heading, or empty."""

    code: str
    title: str
    cause: str
    waiting: str
    do: str
    see: str = ""


@cache
def failures() -> dict[str, Failure]:
    rows = tomllib.loads((files(__package__) / TABLE).read_text("utf-8"))
    return {code: Failure(code, **row) for code, row in rows.items()}


def pointer(code: str) -> str:
    """The closing line of a failure, for whoever reads its log."""
    return f"{code}: {failures()[code].title}. What to do: `ratchet explain {code}`"
