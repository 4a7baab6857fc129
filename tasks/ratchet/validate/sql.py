"""Small pieces of SQL."""

from collections.abc import Set as AbstractSet

from ratchet.validate.signs import ASCII_BLANKS, BLANK_SIGNS

_BLANKS = "||".join(f"chr({ord(sign)})" for sign in ASCII_BLANKS + BLANK_SIGNS)


def quoted(text: str) -> str:
    """A SQL string literal."""
    return "'{}'".format(text.replace("'", "''"))


def name(column: str) -> str:
    """A SQL identifier."""
    return '"{}"'.format(column.replace('"', '""'))


def pointer(key: str) -> str:
    """A JSON pointer (RFC 6901) as a literal, since a key may hold dots, quotes and brackets."""
    return quoted("/" + key.replace("~", "~0").replace("/", "~1"))


def has_a_key_twice(json: str, at: str = "''") -> str:
    """SQL: true when the object at this pointer has a key twice, of which readers take different ones."""
    keys = f"json_keys({json}, {at})"
    return f"len({keys}) > len(list_distinct({keys}))"


def trimmed(field: str, held: AbstractSet[str] | None) -> str:
    """SQL: the field without the blanks around it, NULL when it is blank. `held`: the file's signs, None: not known.

    To trim a set of characters is slow, and most fields need none: what sorts before ! is at neither end of them, nor
    is a wider blank that the file holds (where that is not known, what sorts after ~).
    """
    value = f"CAST({field} AS VARCHAR)"
    wider = [f"{value} <= '~'", f"{value}[-1] <= '~'"]
    if held is not None:
        signs = [f"chr({ord(sign)})" for sign in BLANK_SIGNS if sign in held]
        wider = [f"NOT {at}({value}, {sign})" for sign in signs for at in ("prefix", "suffix")]
    plain = " AND ".join([f"{value} >= '!'", f"{value}[-1] >= '!'", *wider])
    return f"CASE WHEN {plain} THEN {value} ELSE nullif(trim({value}, {_BLANKS}), '') END"
