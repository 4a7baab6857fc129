"""The rules on rows, as data: a reason, the rule in words, and the SQL that is true for a row that keeps it.

The SQL speaks of `text` and `label` (trimmed strings, NULL when blank or not a string), `quality_given` (as it stands
in the file, NULL when blank), `quality_score` (a number, or NULL), `malformed` and `conversation` (NULL for a row of
the right shape).
It is never NULL itself, and a row that lacks a value breaks one rule only: the one that says so.
"""

from dataclasses import dataclass

from ratchet.validate.contract import Action, DataRules
from ratchet.validate.policy import ANY_ACTION, ONLY_QUARANTINE

# Tab, line feed and carriage return are how people write; all else below U+0020, and U+007F to U+009F, is not.
CONTROL_CHARACTER = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]"
# <|im_start|> and its kin, also in spaced and full-width forms; Llama's and Mistral's brackets, Gemma's turns, the
# thoughts and tool calls of Qwen and DeepSeek, and the sentence marks of older models: in a user's text a tokenizer
# would read them as structure.
TEMPLATE_MARK = (
    r"[<＜]\s?[|｜]\s?[^<>＜＞|｜\s]{1,40}\s?[|｜]\s?[>＞]|[\[［]\s?/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)"
    r"\s?[\]］]|<</?SYS>>|</?s>|<(?:bos|eos|pad|unk)>|<(?:start|end)_of_(?:turn|text|image|utterance)>"
    r"|</?(?:think|tool_call|tool_response|tools)>"
)


@dataclass(frozen=True)
class RowRule:
    reason: str
    words: str
    keeps_sql: str
    actions: tuple[Action, ...] = ANY_ACTION


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
        _length("text", *rules.text_characters),
        _length("label", *rules.label_characters),
        RowRule(
            "quality_score",
            "quality_score, where given, is a number from {} to {}".format(*rules.quality_score),
            "quality_given IS NULL OR coalesce(quality_score BETWEEN {} AND {}, false)".format(*rules.quality_score),
        ),
        _never(
            "control_character",
            "no control characters in text and label, except tabs and line breaks",
            CONTROL_CHARACTER,
        ),
        _never(
            "template_token",
            "no chat-template tokens such as <|im_start|> in text and label",
            TEMPLATE_MARK,
            first="<[＜［",
        ),
    )


def _length(column: str, least: int, most: int) -> RowRule:
    return RowRule(
        f"{column}_length",
        f"{column} has {least} to {most} characters, without the space around it",
        f"{column} IS NULL OR length({column}) BETWEEN {least} AND {most}",
    )


def _never(reason: str, words: str, pattern: str, first: str = "") -> RowRule:
    """`first`: characters that a match must begin with; looking for these is much faster than matching."""
    likely = " OR ".join(f"contains({{0}}, '{character}')" for character in first) or "true"
    found = " OR ".join(
        f"CASE WHEN {likely.format(column)} THEN regexp_matches({column}, '{pattern}') END"
        for column in ("text", "label")
    )
    return RowRule(reason, words, f"NOT coalesce({found}, false)")
