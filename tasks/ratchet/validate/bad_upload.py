"""The one error of an upload that cannot be read, and how a file is called in sentences."""

import re

from ratchet.core.errors import TerminalError

CUT_OFF = "it was cut off; send the whole file again"
_MOST_CHARACTERS = 120


class BadUpload(TerminalError, ValueError):
    """The upload cannot be read as what its name says."""

    code = "DATA_REFUSED"


def plain_name(name: str) -> str:
    """One short line without folders: who sends a file chooses its name, and it stands in logs, receipts and pages."""
    last = re.split(r"[/\\]", name)[-1] or "upload"
    printable = "".join(character if character.isprintable() else "\ufffd" for character in last)
    if len(printable) <= _MOST_CHARACTERS:
        return printable
    half = _MOST_CHARACTERS // 2
    return f"{printable[:half]}…{printable[-half:]}"
