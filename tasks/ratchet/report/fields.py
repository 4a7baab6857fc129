"""In which fields two recipes differ, by dotted names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ratchet.core.contract import canonical_json, digest_json

_MAX_CHARACTERS = 60
_REF = {"uri", "sha256", "bytes"}


@dataclass(frozen=True)
class FieldChange:
    """`before` and `now` as people read them, e.g. method.learning_rate, 0.0002 and 0.0001."""

    name: str
    before: str
    now: str


def field_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """Sorted by name: the same two recipes must make the same page, whatever the order of their fields."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    return tuple(
        FieldChange(name, old.get(name, "(none)"), new.get(name, "(none)"))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value and value.keys() != _REF:
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else key)
    elif _are_named(value):
        for item in value:
            # The name of a list's item is in its place; a new name is another item, so it is no field of its own.
            yield from _leaves({key: of for key, of in item.items() if key != "name"}, f"{name}.{item['name']}")
    else:
        yield name, _shown(value)


def _are_named(value: Any) -> bool:
    """A list of tasks or of checks: each has a name, so that adding one moves no other."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) for item in value):
        return False
    names = [item.get("name") for item in value]
    return bool(names) and None not in names and len(set(names)) == len(names)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) and value.keys() == _REF:
        return f"file {value['sha256'][:12]}"
    if isinstance(value, str) and value and len(value) <= _MAX_CHARACTERS and value.isprintable():
        return value
    text = canonical_json(value).decode()
    # A long text is named by its digest, so that two of the same length are told apart.
    return text if len(text) <= _MAX_CHARACTERS else f"{len(text):,} characters ({digest_json(value)[:12]})"
