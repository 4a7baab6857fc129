"""Characters that few files hold: where one has none of them, no row has to be searched for what begins with them.

To look for them in a whole file costs a tenth of matching a pattern on each of its rows.
"""

# Tab, line feed and carriage return are how people write; all else below U+0020, and U+007F to U+009F, is not.
CONTROL_SIGNS = "".join(map(chr, (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0))))
# The marks of a chat template begin with one of these.
MARK_SIGNS = "<[＜［"
ASCII_BLANKS = " \t\n\v\f\r"
# Blanks that are not ASCII: no-break space, ideographic space, zero-width space, byte order mark.
BLANK_SIGNS = "\u00a0\u3000\u200b\ufeff"

_SIGNS = frozenset(CONTROL_SIGNS + MARK_SIGNS + BLANK_SIGNS)
_ALL_BYTES = bytes(range(0x100))
_NO_ASCII_SIGNS = bytes(byte for byte in _ALL_BYTES if byte >= 0x80 or chr(byte) not in _SIGNS)
_NO_LATIN_SIGNS = bytes(byte for byte in _ALL_BYTES if byte < 0x80 or chr(byte) not in _SIGNS)
_BEYOND_LATIN = [sign for sign in _SIGNS if ord(sign) >= 0x100]


def ascii_signs_in(utf8: bytes) -> set[str]:
    """Which of the signs above that are ASCII stand in the text; it may begin and end inside a character."""
    return set(utf8.translate(None, _NO_ASCII_SIGNS).decode("ascii"))


def wide_signs_in(text: str) -> set[str]:
    """Which of the signs above that are not ASCII stand in the text."""
    latin = text.encode("latin-1", "ignore").translate(None, _NO_LATIN_SIGNS)
    return set(latin.decode("latin-1")) | {sign for sign in _BEYOND_LATIN if sign in text}
