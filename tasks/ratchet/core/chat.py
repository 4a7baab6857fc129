"""One question and its answer as a model is trained on them, and whether they are short enough for that."""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Length:
    """`tokens` is the whole chat; `answer_tokens` of them are the answer's, none if the template leaves it out."""

    tokens: int
    answer_tokens: int


class BadPrompt(TerminalError, ValueError):
    """The recipe's prompt cannot be filled."""

    code = "RECIPE_INVALID"


def fill(prompt: str, text: str) -> str:
    """Put `text` where {text} stands. The text is data: braces in it mean nothing. Raises BadPrompt."""
    if prompt.count(FIELD) != 1:
        raise BadPrompt(f"the prompt {prompt!r} has {FIELD} {prompt.count(FIELD)} times: expected exactly once")
    return prompt.replace(FIELD, text)


def fitting(lengths: Sequence[Length], max_tokens: int) -> list[bool]:
    """Whether each chat fits whole: none is ever truncated."""
    return [length.tokens <= max_tokens for length in lengths]
