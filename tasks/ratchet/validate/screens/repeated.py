"""Rows that are there already, and rows that contradict one another."""

from ratchet.validate.policy import WARNS
from ratchet.validate.screens.screen import Screen

_DUPLICATES = """
    SELECT row, 'as row ' || first AS detail
    FROM (SELECT row, min(row) OVER (PARTITION BY text, label) AS first FROM rows)
    WHERE row <> first
"""
_KNOWN = "SELECT row, 'in the current version' AS detail FROM rows SEMI JOIN previous USING (text, label)"
_CONFLICTING = """
    SELECT row,
        'the same text has the label ' || left(CASE WHEN label = least THEN most ELSE least END, 60) AS detail
    FROM rows JOIN (
        SELECT text, min(label) AS least, max(label) AS most
        FROM (SELECT text, label FROM rows UNION ALL SELECT text, label FROM previous)
        GROUP BY text HAVING least <> most
    ) USING (text)
"""

# prepare trains on one of equal rows and on none that conflict, so to warn is enough; and whoever sends all rows again
# each week, with the new ones, must not be refused.
REPEATED = (
    Screen("duplicate", "a row is there once in the file", WARNS, _DUPLICATES),
    Screen("known", "a row is not in the current version yet", WARNS, _KNOWN),
    Screen("conflicting_label", "a text has one label, here and in the current version", WARNS, _CONFLICTING),
)
