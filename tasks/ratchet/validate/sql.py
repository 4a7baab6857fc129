"""Small pieces of SQL."""


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
