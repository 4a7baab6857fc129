"""Texts that must not be told: a prompt, and what has the form of a secret. Each is found by a part that is its own."""

from collections.abc import Iterable
from pathlib import Path

PROMPT = "Why did the violet heron take my parcel to Bremen twice this week?"
EMAIL = "violet.heron@example.org"
AWS_KEY = "AKIA" + "VIOLETHERON42XYZ"
PASSWORD = "password: V10let&heron9"
CARD = "4111 1111 1111 1111"
SECRETS = (EMAIL, AWS_KEY, "V10let&heron9", CARD, CARD.replace(" ", ""))
TOLD = ("violet heron", *SECRETS)


def leaks(said: str, planted: Iterable[str] = TOLD) -> list[str]:
    """Which of them are in there, however they are escaped."""
    plain = said.replace("\\u0026", "&").replace("&amp;", "&").lower()
    return [text for text in planted if text.lower() in plain]


def leaks_in(folder: Path, planted: Iterable[str] = TOLD) -> dict[str, list[str]]:
    """Of every file below `folder`."""
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {str(path): leaks(path.read_bytes().decode("utf-8", "replace"), planted) for path in files}
    return {path: texts for path, texts in found.items() if texts}
