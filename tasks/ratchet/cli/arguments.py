"""What people may type as an argument; argparse shows what is said of anything else."""

from argparse import ArgumentTypeError


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"expected a number from 1 on, got {text!r}")
    return int(text)


def name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ArgumentTypeError(f"expected a name, got {text!r}")
    return text.strip()
