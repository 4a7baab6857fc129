"""Chats in the shapes that the next steps read."""

from collections.abc import Iterable

from ratchet.core.chat import Chat
from ratchet.core.contract import canonical_json


def training_lines(chats: Iterable[Chat]) -> bytes:
    """As TRL reads them: {"prompt": [message], "completion": [message]}."""
    return json_lines({"prompt": chat.prompt_messages(), "completion": chat.completion_messages()} for chat in chats)


def question_lines(chats: Iterable[Chat]) -> bytes:
    """As evaluation reads them: {"id", "prompt", "answer"}."""
    return json_lines({"id": chat.id, "prompt": chat.prompt, "answer": chat.answer} for chat in chats)


def json_lines(values: Iterable[object]) -> bytes:
    return b"".join(canonical_json(value) + b"\n" for value in values)
