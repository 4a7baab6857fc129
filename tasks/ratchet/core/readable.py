"""What a person reads on a terminal: a step's JSON log line, and text that others wrote."""

import json

from ratchet.core.log import readable


def printable(text: str) -> str:
    """Others wrote it: it must not move the reader's cursor."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def readable_line(line: str) -> str:
    """Event and fields of a log line of Ratchet's; any other line as it is."""
    try:
        fields = json.loads(line)
        for name in ("at", "level", "trace_id"):
            fields.pop(name, None)
        traceback = fields.pop("traceback", None)
        text = readable(fields.pop("event"), fields)
    except (ValueError, AttributeError, KeyError, TypeError):
        return line
    return f"{text}\n{traceback}" if traceback else text
