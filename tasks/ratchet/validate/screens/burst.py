"""One source that suddenly sends many rows that all say the same: somebody pushes a label, or a program sends alone.

What rows of a source may have in common is their label, or how they begin. A source is told when it sent far more rows
than the others did, nearly all with one such thing in common, and chance would hardly ever have dealt it so many of
those: the tail of the hypergeometric distribution, bounded by Hoeffding 1963 (Probability inequalities for sums of
bounded random variables, section 6), times the number of sources, labels and beginnings looked at (Bonferroni).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ratchet.validate.policy import WARNS
from ratchet.validate.screens.screen import Screen

# If no label and no beginning had to do with the source, one file in a thousand would be told of wrongly, at most.
FALSE_ALARMS = 0.001
_FEWEST_SOURCES, _FEWEST_ROWS = 5, 20  # to know what is usual; to call it a burst
_LEAST_TIMES_USUAL, _LEAST_ALIKE = 5, 0.8

_BEGINNING = "CASE WHEN len({0}) >= 5 THEN array_to_string({0}[:5], ' ') END".format(
    "regexp_extract_all(lower(text), '\\pL+')"
)
_TRAITS: Mapping[str, str] = {"have the same label": "label", "begin with the same five words": _BEGINNING}
_SIZES = "SELECT source, count(*) AS num_rows FROM rows WHERE source IS NOT NULL GROUP BY source"
# Of each source that is large enough, the label or the beginning that most of its rows have.
_COMMONEST = f"""
    WITH sizes AS ({_SIZES}), usual AS (SELECT median(num_rows) AS num_rows FROM sizes)
    SELECT source, sizes.num_rows, usual.num_rows, value, num_alike FROM (
        SELECT source, {{trait}} AS value, count(*) AS num_alike FROM rows
        WHERE source IN (
            SELECT source FROM sizes, usual
            WHERE sizes.num_rows >= greatest({_FEWEST_ROWS}, {_LEAST_TIMES_USUAL} * usual.num_rows)
        ) AND value IS NOT NULL
        GROUP BY source, value QUALIFY row_number() OVER (PARTITION BY source ORDER BY num_alike DESC, value) = 1
    ) JOIN sizes USING (source), usual ORDER BY source
"""  # noqa: S608
_EVERYWHERE = """
    SELECT value, count(*) FROM (
        SELECT {trait} AS value FROM (SELECT text, label FROM rows UNION ALL SELECT text, label FROM previous)
    ) WHERE value IS NOT NULL GROUP BY value
"""


@dataclass(frozen=True)
class Sent:
    """What one source sent: rows, and how many of them have the commonest trait, which `num_everywhere` rows of all
    `num_all` have. `num_looks`: sources and values among which this is the most striking, perhaps.
    """

    num_rows: int
    num_alike: int
    num_everywhere: int
    num_all: int
    num_looks: int


def is_burst(sent: Sent) -> bool:
    share, usual = sent.num_alike / sent.num_rows, sent.num_everywhere / sent.num_all
    if share < _LEAST_ALIKE or share <= usual:
        return False
    return sent.num_looks * math.exp(-sent.num_rows * divergence(share, usual)) <= FALSE_ALARMS


def divergence(share: float, usual: float) -> float:
    """Of one share from another, Kullback and Leibler's, in nats; 0 < usual < share <= 1."""
    rest = (1 - share) * math.log((1 - share) / (1 - usual)) if share < 1 else 0.0
    return share * math.log(share / usual) + rest


def _prepare(db: Any) -> None:
    db.execute("CREATE TABLE burst (source VARCHAR, trait VARCHAR, value VARCHAR, detail VARCHAR)")
    [[num_sources]] = db.execute(f"SELECT count(*) FROM ({_SIZES})").fetchall()  # noqa: S608
    if num_sources < _FEWEST_SOURCES:
        return
    [[num_all]] = db.execute("SELECT (SELECT count(*) FROM rows) + (SELECT count(*) FROM previous)").fetchall()
    for words, trait in _TRAITS.items():
        commonest = db.execute(_COMMONEST.format(trait=trait)).fetchall()
        if not commonest:
            return
        everywhere = dict(db.execute(_EVERYWHERE.format(trait=trait)).fetchall())
        num_looks = len(_TRAITS) * len(commonest) * len(everywhere)
        for source, num_rows, usual, value, num_alike in commonest:
            if is_burst(Sent(num_rows, num_alike, everywhere[value], num_all, num_looks)):
                detail = f"its source sent {num_rows} rows, others {usual:g}; {num_alike} of them {words}"
                db.execute("INSERT INTO burst VALUES (?, ?, ?, ?)", [source, trait, value, detail])


_FIND = " UNION ALL ".join(
    f"SELECT row, detail FROM rows JOIN burst USING (source) WHERE trait = $${trait}$$ AND value = {trait}"  # noqa: S608
    for trait in _TRAITS.values()
)
BURST = Screen(
    "burst",
    "no source suddenly sends many rows that have the same label or begin alike",
    WARNS,
    f"SELECT row, min(detail) AS detail FROM ({_FIND}) GROUP BY row",  # noqa: S608
    _prepare,
)
