"""What a runbook tells on-call to type, taken from its page as it is written."""

import re
import shlex
from collections.abc import Mapping, Sequence

_COMMAND = re.compile(r"`ratchet ([^`]+)`")
DO, WORKED = "Do this", "How to know that it worked"


def section(page: str, heading: str) -> str:
    """Raises LookupError where the page has no such section."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    if not found:
        raise LookupError(f"no section {heading!r}")
    return found[1]


def item(page: str, which: int | str) -> str:
    """A numbered item of "Do this", or the row of its table that begins so. Raises LookupError."""
    text = section(page, DO)
    pattern = rf"^{which}\. .*?(?=^\d+\. |\n\n|\Z)" if isinstance(which, int) else rf"^\| {re.escape(which)}.*$"
    flags = re.MULTILINE | (re.DOTALL if isinstance(which, int) else 0)
    found = re.search(pattern, text, flags)
    if not found:
        raise LookupError(f"{DO!r} has no item {which!r}")
    return " ".join(found[0].split())


def commands(text: str, fills: Mapping[str, str] | None = None, not_those_with: Sequence[str] = ()) -> list[list[str]]:
    """The commands in `text` in their order, `ratchet` left off.

    `fills` says what stands for a word in capitals: FILE, RELEASE. `not_those_with`: words of commands that the page
    offers instead of another. Raises LookupError for a word in capitals that nothing stands for.
    """
    typed = [shlex.split(found) for found in _COMMAND.findall(" ".join(text.split()))]
    chosen = [words for words in typed if not set(words) & set(not_those_with)]
    return [[_filled(word, fills or {}) for word in words] for words in chosen]


def _filled(word: str, fills: Mapping[str, str]) -> str:
    if not re.fullmatch(r"[A-Z]{2,}", word):
        return word
    if word not in fills:
        raise LookupError(f"the runbook asks for {word}, and nothing was given for it")
    return fills[word]
