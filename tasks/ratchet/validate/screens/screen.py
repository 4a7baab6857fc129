"""A screen: a rule that one row alone cannot break, or that SQL alone cannot see."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ratchet.validate.contract import Action

_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Screen:
    """`find_sql` gives the rows that break the rule, as `row` and `detail` (why, in a few words).

    It speaks of two views: `rows`, what no row rule has left out of the file (row, 1 is the file's first; text, label,
    quality_score, source, which is NULL where the file does not say), and `previous`, the current dataset version
    (text, label). What SQL cannot see, `prepare` writes into a table of the database before. Of a rule's actions the
    first is its default.

    `hidden_sql` gives row, text and label of the rows found, with what nobody may read replaced. Unless the rule only
    warns, that is what the accepted rows, and the screens after it, have in place of the row's own.
    """

    reason: str
    words: str
    actions: tuple[Action, ...]
    find_sql: str
    prepare: Callable[[Any], None] | None = None
    hidden_sql: str | None = None


def batches(db: Any, query: str) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query, some at a time; meanwhile the database can be written to."""
    cursor = db.cursor().execute(query)
    while batch := cursor.fetchmany(_BATCH_ROWS):
        yield batch
