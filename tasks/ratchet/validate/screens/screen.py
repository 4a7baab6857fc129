"""A screen: a rule that one row alone cannot break, or that SQL alone cannot see."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ratchet.validate.contract import Action


@dataclass(frozen=True)
class Screen:
    """`find_sql` gives the rows that break the rule, as `row` and `detail` (why, in a few words).

    It speaks of two views: `rows`, what no row rule has left out of the file (row, 1 is the file's first; text, label,
    quality_score), and `previous`, the current dataset version (text, label). What SQL cannot see, `prepare` writes
    into a temporary table of the database before. Of a rule's actions the first is its default.
    """

    reason: str
    words: str
    actions: tuple[Action, ...]
    find_sql: str
    prepare: Callable[[Any], None] | None = None
