"""Characters that few files hold: where one has none of them, no row has to be searched for what begins with them.

To look for them in a whole file costs a tenth of matching a pattern on each of its rows.
"""

# Tab, line feed and carriage return are how people write; all else below U+0020, and U+007F to U+009F, is not.
CONTROL_SIGNS = "".join(map(chr, (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0))))
# The marks of a chat template begin with one of these.
MARK_SIGNS = "<[＜［"

_NARROW = {sign for sign in CONTROL_SIGNS + MARK_SIGNS if ord(sign) < 0x100}
_WIDE = set(MARK_SIGNS) - _NARROW
_ALL_BUT_NARROW = bytes(set(range(0x100)) - {ord(sign) for sign in _NARROW})


def signs_in(text: str) -> set[str]:
    """Which of the signs above stand in the text."""
    narrow = text.encode("latin-1", "ignore").translate(None, _ALL_BUT_NARROW)
    return set(narrow.decode("latin-1")) | {sign for sign in _WIDE if sign in text}
