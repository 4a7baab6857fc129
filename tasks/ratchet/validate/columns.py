"""Which columns of an upload hold the text and the label: named by the caller, or found by the names people use."""

from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.core.errors import TerminalError
from ratchet.core.redact import redacted

# In order of preference: a file with both `category` and `answer` is labelled by its category.
TEXT_NAMES = (
    "text", "utterance", "question", "message", "body", "prompt", "query", "input", "instruction", "sentence",
    "content", "description", "ticket",
)  # fmt: skip
LABEL_NAMES = (
    "label", "category", "intent", "class", "answer", "target", "completion", "output", "response", "topic", "tag",
)  # fmt: skip
QUALITY_NAME = "quality_score"
CHAT_NAME = "messages"
TURNS = ("prompt", "completion")
MAX_COLUMNS = 2000
MAX_NAME_CHARACTERS, MAX_NAME_WORDS = 40, 4


class WrongColumns(TerminalError, LookupError):
    """The upload has no column for the text or the label, or not exactly one."""

    code = "DATA_REFUSED"


@dataclass(frozen=True)
class Columns:
    """Names as the file spells them; `quality` and `source` are None where the file has no such column.

    `chat`: text and label are the two messages of one column, which both name.
    """

    text: str
    label: str
    quality: str | None
    chat: bool = False
    source: str | None = None

    @property
    def may_be_turns(self) -> bool:
        """TRL's conversational form has lists of messages in these two."""
        return (_plain(self.text), _plain(self.label)) == TURNS


def find_columns(
    names: Sequence[str],
    text_column: str | None,
    label_column: str | None,
    file_name: str,
    source_columns: Sequence[str] = (),
    may_chat: bool = False,
) -> Columns:
    """`may_chat`: a column of messages is taken before all others, unless the caller names columns.

    `source_columns`: what a column that says where a row comes from may be called; no file has to have one.

    Raises WrongColumns, with what was expected and the option that names the column.
    """
    if len(names) > MAX_COLUMNS:
        raise WrongColumns(
            f"{file_name}: {len(names)} columns ({_list(names)}): expected at most {MAX_COLUMNS}; "
            "is the first line the header?"
        )
    quality = next((name for name in names if _plain(name) == QUALITY_NAME), None)
    if may_chat and CHAT_NAME in names and text_column is None and label_column is None:
        return Columns(CHAT_NAME, CHAT_NAME, quality, True, _source(names, source_columns, CHAT_NAME))
    text = _find(names, text_column, TEXT_NAMES, "text", file_name)
    label = _find(names, label_column, LABEL_NAMES, "label", file_name)
    if text == label:
        raise WrongColumns(
            f"{file_name}: column {text!r} cannot be both text and label; columns are {_list(names)}: "
            "name two different ones with --text-column and --label-column"
        )
    return Columns(text, label, quality, source=_source(names, source_columns, text, label))


def _find(names: Sequence[str], named: str | None, known: Sequence[str], role: str, file_name: str) -> str:
    wanted = known if named is None else (named,)
    for name in wanted:
        found = [column for column in names if column == name] or [
            column for column in names if _plain(column) == _plain(name)
        ]
        if len(found) > 1:
            raise WrongColumns(
                f"{file_name}: {len(found)} columns are called {name!r} ({_list(names)}): expected one {role} column; "
                f"rename the others, or name the right one with --{role}-column"
            )
        if found:
            return found[0]
    expected = f"one of {', '.join(known)}" if named is None else f"{named!r}, as named by --{role}-column"
    raise WrongColumns(
        f"{file_name}: no {role} column: expected {expected}; the file has {_list(names)}. "
        f"Name the right one with --{role}-column NAME, or add a header line if the file has none"
    )


def _source(names: Sequence[str], wanted: Sequence[str], *taken: str) -> str | None:
    found = (name for one in wanted for name in names if _plain(name) == _plain(one) and name not in taken)
    return next(found, None)


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(map(_shown, names[:20]))
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown or "no columns"


def _shown(name: str) -> str:
    """Where a file has no header, its first row stands here, and users' texts stay out of errors."""
    is_name = len(name) <= MAX_NAME_CHARACTERS and name.count(" ") < MAX_NAME_WORDS
    return repr(redacted(name)) if is_name else f"a text of {len(name)} characters"
