"""Small sums: the general ability that a fine-tune must not lose, as canary questions and as replay rows.

The canary's questions (`held_out`, committed as quality_gates/tasks/arithmetic.jsonl) are in no training, neither the
base model's nor a fine-tune's: what answers them is skill, not memory. Whoever trains passes them to `sums` as
`exclude`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Iterator

LARGEST_OPERAND = 59
NUM_HELD_OUT = 600
_HELD_OUT_SEED = 20260101

Sum = tuple[str, str]  # question, answer


def sums(num_rows: int, seed: int, exclude: Collection[str] = ()) -> list[Sum]:
    """`num_rows` questions with their answers, e.g. ("What is 12 + 7?", "19"), the same for the same arguments.

    A question comes again only after every other one has come, so up to 3,600 rows are distinct.

    Args:
        exclude: questions that must not come, as they are written here.
    Raises:
        ValueError: `exclude` leaves no question.
    """
    excluded = frozenset(exclude)
    pool = [pair for pair in _all_sums() if pair[0] not in excluded]
    if not pool:
        raise ValueError(f"all {len(excluded)} questions are excluded, so no sum is left to draw; exclude fewer")
    rng = random.Random(seed)  # noqa: S311 — reproducible, not secret
    return list(itertools.islice(_shuffled_for_ever(pool, rng), num_rows))


def held_out() -> list[Sum]:
    """The canary's questions, always the same: never train on them."""
    return sums(NUM_HELD_OUT, _HELD_OUT_SEED)


def _all_sums() -> Iterator[Sum]:
    operands = range(LARGEST_OPERAND + 1)
    for left, right in itertools.product(operands, operands):
        yield f"What is {left} + {right}?", str(left + right)


def _shuffled_for_ever(pool: list[Sum], rng: random.Random) -> Iterator[Sum]:
    while True:
        rng.shuffle(pool)
        yield from pool
