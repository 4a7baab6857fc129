"""Who may ask the edge: names and their keys, in one file of the secrets folder.

{"mia": "rk-…", "ratchet": "rk-…"}   no file: everybody may ask; an empty table: nobody
"""

import json
import re
import secrets

from ratchet.clients.files import replace_file
from ratchet.clients.settings import Settings
from ratchet.core.errors import TerminalError

FILE = "edge-keys.json"
# Ratchet's own probes ask as users do; they are let in under this name, and not counted.
OWN = "ratchet"
PREFIX = "rk-"  # so that a key is known for one when it turns up where it should not be
KEY_BYTES = 32
MIN_KEY_LENGTH = 16
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class BrokenKeys(TerminalError, ValueError):
    """The file of keys is not what it must be."""

    code = "SERVE_STATE_BROKEN"


class BadKeyName(TerminalError, LookupError):
    """A name that is taken, not there, or not one."""

    code = "REFUSED"


def read_keys(settings: Settings) -> dict[str, str] | None:
    """Name → key; None where there is no file. Raises BrokenKeys, which shows no key."""
    path = settings.secrets / FILE
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BrokenKeys(f"{path}: cannot be read as JSON ({type(error).__name__}); put it back from a copy") from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found.values()):
        raise BrokenKeys(f'{path}: expected a table of names and keys, {{"NAME": "KEY"}}; mend it by hand')
    wrong = [name for name, key in found.items() if not NAME.fullmatch(name) or not _is_key(key)]
    doubled = len(set(found.values())) < len(found)
    if wrong or doubled:
        raise BrokenKeys(
            f"{path}: expected names of letters, digits and ._- and a key of its own for each, of at least "
            f"{MIN_KEY_LENGTH} printable characters without spaces; got "
            + (f"something else under {', '.join(wrong)}" if wrong else "one key under two names")
        )
    return found


def own_key(settings: Settings) -> str:
    """What Ratchet's own requests to the edge say; empty where it asks for no keys. Raises BrokenKeys."""
    return (read_keys(settings) or {}).get(OWN, "")


def with_own_key(settings: Settings) -> dict[str, str] | None:
    """All keys, Ratchet's own made where a file written by hand has none. Raises BrokenKeys."""
    keys = read_keys(settings)
    if keys is None or OWN in keys:
        return keys
    _write(settings, {OWN: _new_key(), **keys})
    return read_keys(settings)


def add_key(settings: Settings, name: str) -> str:
    """A new key. Raises BadKeyName, BrokenKeys."""
    keys = read_keys(settings) or {}
    if not NAME.fullmatch(name):
        raise BadKeyName(f"{name!r}: expected up to 63 letters, digits and ._- , a letter or digit first")
    if name in (*keys, OWN):
        raise BadKeyName(f"{name} has a key already: `ratchet keys remove {name}` takes it back, then add a new one")
    made = {name: _new_key()}
    _write(settings, {OWN: _new_key(), **keys, **made})
    return made[name]


def remove_key(settings: Settings, name: str) -> dict[str, str]:
    """The keys that are left. Raises BadKeyName, BrokenKeys."""
    keys = read_keys(settings) or {}
    if name not in keys or name == OWN:
        raise BadKeyName(f"nobody called {name} has a key; there are: {', '.join(given(keys)) or 'none'}")
    left = {other: key for other, key in keys.items() if other != name}
    _write(settings, left)
    return left


def given(keys: dict[str, str]) -> list[str]:
    """The names that people gave, in the order in which they did."""
    return [name for name in keys if name != OWN]


def _write(settings: Settings, keys: dict[str, str]) -> None:
    """Readable by its owner alone, as every file that `replace_file` makes."""
    settings.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(settings.secrets / FILE, json.dumps(keys, indent=1).encode())


def _new_key() -> str:
    return PREFIX + secrets.token_urlsafe(KEY_BYTES)


def _is_key(key: str) -> bool:
    return len(key) >= MIN_KEY_LENGTH and key.isascii() and key.isprintable() and " " not in key
