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
    before, after = _around(prompt)
    return f"{before}{text}{after}"


def without_prompt(sent: str, prompt: str) -> str:
    """The text that an application put where {text} stands; `sent` as it is where it came without the prompt.

    White space around the text is the application's own. Raises BadPrompt.
    """
    before, after = (part.strip() for part in _around(prompt))
    if not (sent.startswith(before) and sent.endswith(after) and len(sent) >= len(before) + len(after)):
        return sent
    return sent[len(before) : len(sent) - len(after)].strip() or sent


def _around(prompt: str) -> tuple[str, str]:
    if prompt.count(FIELD) != 1:
        raise BadPrompt(f"the prompt {prompt!r} has {FIELD} {prompt.count(FIELD)} times: expected exactly once")
    before, _, after = prompt.partition(FIELD)
    return before, after


def fitting(lengths: Sequence[Length], max_tokens: int) -> list[bool]:
    """Whether each chat fits whole: none is ever truncated."""
    return [length.tokens <= max_tokens for length in lengths]
