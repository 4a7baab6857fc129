"""A key that some service of others wants, in a file of the secrets folder."""

from pathlib import Path

from ratchet.core.errors import TerminalError


class BadKey(TerminalError, ValueError):
    """The file holds no key; what it holds is not told."""

    code = "SETTINGS_INVALID"


def read_key(path: Path) -> str:
    """Empty where there is no such file. Raises BadKey."""
    try:
        key = path.read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadKey(f"{path}: the key cannot be read ({type(error).__name__})") from None
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise BadKey(f"{path}: expected one key on one line, got {len(key)} characters that are none")
    return key
