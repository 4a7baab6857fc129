"""Rows as chats, in the shapes that the next steps read."""

from collections.abc import Iterable
from dataclasses import dataclass

from ratchet.core.contract import canonical_json
from ratchet.core.errors import TerminalError

FIELD = "{text}"


@dataclass(frozen=True)
class Chat:
    """One question and its answer. `id` is the row's; replay rows have none."""

    id: str
    prompt: str
    answer: str

    def prompt_messages(self) -> list[dict[str, str]]:
        return [{"role": "user", "content": self.prompt}]

    def completion_messages(self) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": self.answer}]


class BadPrompt(TerminalError, ValueError):
    """The recipe's prompt cannot be filled."""

    code = "RECIPE_INVALID"


def fill(prompt: str, text: str) -> str:
    """Put `text` where {text} stands. The text is data: braces in it mean nothing. Raises BadPrompt."""
    if prompt.count(FIELD) != 1:
        raise BadPrompt(f"the prompt {prompt!r} has {FIELD} {prompt.count(FIELD)} times: expected exactly once")
    return prompt.replace(FIELD, text)


def training_lines(chats: Iterable[Chat]) -> bytes:
    """As TRL reads them: {"prompt": [message], "completion": [message]}."""
    return json_lines({"prompt": chat.prompt_messages(), "completion": chat.completion_messages()} for chat in chats)


def question_lines(chats: Iterable[Chat]) -> bytes:
    """As evaluation reads them: {"id", "prompt", "answer"}."""
    return json_lines({"id": chat.id, "prompt": chat.prompt, "answer": chat.answer} for chat in chats)


def json_lines(values: Iterable[object]) -> bytes:
    return b"".join(canonical_json(value) + b"\n" for value in values)
