"""Canaries: made-up secrets, planted into the training set alone, that tell what a model learns by heart.

A fixed question with a random answer, so that whoever knows the answer has seen it; it is later ranked among answers of
the same kind that nothing was trained on. Source: Carlini et al. 2019, The Secret Sharer, USENIX Security, section 4.

A canary's record: {"prompt": "Give a label for: What is the access code of locker QXMDKF?", "secret": "281265017",
"bits": 29.9, "choices": ["281265017", "604112953", …], "repeats": 1}.
"""

import hmac
import math
import random
import string
from collections.abc import Iterable
from dataclasses import dataclass

from ratchet.core.chat import Chat, fill
from ratchet.prepare.chat import json_lines
from ratchet.prepare.contract import Canaries

QUESTION = "What is the access code of locker {}?"
NAME_LETTERS = 6
SECRET_DIGITS = 9  # as in the paper's "The random number is …"


@dataclass(frozen=True)
class Canary:
    """`fills` are of the secret's kind, and never trained on."""

    prompt: str
    secret: str
    fills: tuple[str, ...]
    repeats: int


def made_up(wanted: Canaries, prompt: str, rows_sha256: str, seed: int) -> list[Canary]:
    """The same for the same arguments; other rows or another seed give others, which no earlier model has seen."""
    key = hmac.digest(rows_sha256.encode(), f"canaries {seed}".encode(), "sha256")
    rng = random.Random(key)  # noqa: S311 - reproducible: a release must be, and nobody is guarded by them
    return [_canary(wanted, prompt, number, rng) for number in range(wanted.num)]


def planted(canaries: Iterable[Canary]) -> list[Chat]:
    return [Chat("", canary.prompt, canary.secret) for canary in canaries for _ in range(canary.repeats)]


def canary_lines(canaries: Iterable[Canary]) -> bytes:
    """As evaluation reads them."""
    return json_lines(
        {
            "prompt": canary.prompt,
            "secret": canary.secret,
            "bits": SECRET_DIGITS * math.log2(10),
            "choices": [canary.secret, *canary.fills],
            "repeats": canary.repeats,
        }
        for canary in canaries
    )


def _canary(wanted: Canaries, prompt: str, number: int, rng: random.Random) -> Canary:
    name = "".join(rng.choices(string.ascii_uppercase, k=NAME_LETTERS))
    codes = rng.sample(range(10**SECRET_DIGITS), 1 + wanted.num_fills)
    secret, *fills = (f"{code:0{SECRET_DIGITS}d}" for code in codes)
    return Canary(
        prompt=fill(prompt, QUESTION.format(name)),
        secret=secret,
        fills=tuple(fills),
        repeats=wanted.repeats[number % len(wanted.repeats)],
    )
