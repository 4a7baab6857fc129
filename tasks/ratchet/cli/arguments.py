"""What people may type as an argument; argparse shows what is said of anything else."""

from argparse import ArgumentTypeError


def count(text: str) -> int:
    return _from(1, text)


def whole(text: str) -> int:
    return _from(0, text)


def _from(least: int, text: str) -> int:
    if not text.isdecimal() or int(text) < least:
        raise ArgumentTypeError(f"expected a whole number from {least} on, got {text!r}")
    return int(text)


def name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ArgumentTypeError(f"expected a name, got {text!r}")
    return text.strip()
