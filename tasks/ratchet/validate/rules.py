"""The rules on rows, as data: a reason, the rule in words, and the SQL that is true for a row that keeps it.

The SQL speaks of `text` and `label` (trimmed strings, NULL when blank or not a string), `quality_given` (as it stands
in the file, NULL when blank), `quality_score` (a number, or NULL), `malformed` and `conversation` (NULL for a row of
the right shape).
It is never NULL itself, and a row that lacks a value breaks one rule only: the one that says so.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ratchet.core.injection import TEMPLATE_MARK
from ratchet.validate.contract import Action, DataRules
from ratchet.validate.policy import ANY_ACTION, ONLY_QUARANTINE
from ratchet.validate.signs import CONTROL_SIGNS, MARK_SIGNS

CONTROL_CHARACTER = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]"
# To look for one character is much faster than matching, but not to look for all that are no text.
_MOST_LOOKED_FOR = 8


@dataclass(frozen=True)
class RowRule:
    """`signs`: characters one of which stands in text or label of every row that breaks the rule; none: who knows."""

    reason: str
    words: str
    keeps_sql: str
    actions: tuple[Action, ...] = ANY_ACTION
    signs: str = ""

    def keeps(self, held: AbstractSet[str] | None) -> str:
        """The same SQL, for a file that holds no other signs than these (None: not known)."""
        signs = [sign for sign in self.signs if held is None or sign in held]
        if not self.signs or len(signs) > _MOST_LOOKED_FOR:
            return self.keeps_sql
        likely = [f"contains({column}, chr({ord(sign)}))" for column in ("text", "label") for sign in signs]
        return f"CASE WHEN {' OR '.join(likely)} THEN {self.keeps_sql} ELSE true END" if likely else "true"


def row_rules(rules: DataRules) -> tuple[RowRule, ...]:
    return (
        RowRule(
            "malformed",
            "one value for each column (CSV), one JSON object a line, each key once (JSON lines)",
            "malformed IS NULL",
            ONLY_QUARANTINE,
        ),
        RowRule(
            "conversation",
            "messages are one question of the user and one answer of the assistant, each one text",
            "conversation IS NULL",
            ONLY_QUARANTINE,
        ),
        RowRule(
            "text_missing",
            "text is a string and not blank",
            "malformed IS NOT NULL OR conversation IS NOT NULL OR text IS NOT NULL",
            ONLY_QUARANTINE,
        ),
        RowRule(
            "label_missing",
            "label is given and not blank",
            "malformed IS NOT NULL OR conversation IS NOT NULL OR label IS NOT NULL",
            ONLY_QUARANTINE,
        ),
        *length_rules(rules),
        RowRule(
            "quality_score",
            "quality_score, where given, is a number from {} to {}".format(*rules.quality_score),
            "quality_given IS NULL OR coalesce(quality_score BETWEEN {} AND {}, false)".format(*rules.quality_score),
        ),
        _never(
            "control_character",
            "no control characters in text and label, except tabs and line breaks",
            CONTROL_CHARACTER,
            CONTROL_SIGNS,
        ),
        _never(
            "template_token",
            "no chat-template tokens such as <|im_start|> in text and label",
            TEMPLATE_MARK,
            MARK_SIGNS,
        ),
    )


def length_rules(rules: DataRules) -> tuple[RowRule, ...]:
    """What hiding something in a text may break."""
    return (_length("text", *rules.text_characters), _length("label", *rules.label_characters))


def _length(column: str, least: int, most: int) -> RowRule:
    # A character has up to four bytes. To count bytes costs nothing, and says enough of most values.
    enough = f"strlen({column}) BETWEEN {4 * least} AND {most}"
    return RowRule(
        f"{column}_length",
        f"{column} has {least} to {most} characters, without the space around it",
        f"{column} IS NULL OR {enough} OR length({column}) BETWEEN {least} AND {most}",
    )


def _never(reason: str, words: str, pattern: str, signs: str) -> RowRule:
    found = " OR ".join(f"regexp_matches({column}, '{pattern}')" for column in ("text", "label"))
    return RowRule(reason, words, f"NOT coalesce({found}, false)", signs=signs)
