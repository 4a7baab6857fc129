"""What the model is tuned on: capped per label, with replay rows against forgetting, in a seeded order."""

import hashlib
import random
from collections import defaultdict
from collections.abc import Collection, Sequence

from ratchet.core.arithmetic import sums
from ratchet.core.chat import Chat


def capped(chats: Sequence[Chat], max_per_label: int | None) -> list[Chat]:
    """At most so many chats per label: those with the lowest hash, so that most stay the same as the data grows."""
    if max_per_label is None:
        return list(chats)
    by_label: dict[str, list[Chat]] = defaultdict(list)
    for chat in chats:
        by_label[chat.answer].append(chat)
    kept = {chat.id for group in by_label.values() for chat in sorted(group, key=_hash)[:max_per_label]}
    return [chat for chat in chats if chat.id in kept]


def replay(num_chats: int, share: float, seed: int, exclude: Collection[str]) -> list[Chat]:
    """So many sums that they are `share` of the training set, the `num_chats` others included."""
    return [
        Chat("", question, answer) for question, answer in sums(round(num_chats * share / (1 - share)), seed, exclude)
    ]


def shuffled(chats: Sequence[Chat], seed: int) -> list[Chat]:
    order = list(chats)
    random.Random(seed).shuffle(order)  # noqa: S311
    return order


def _hash(chat: Chat) -> bytes:
    return hashlib.sha256(chat.id.encode()).digest()
