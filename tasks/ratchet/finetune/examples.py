"""Rows of prepare become token ids, with the loss on the answers only.

A row: {"prompt": [{"role": "user", "content": "…"}], "completion": [{"role": "assistant", "content": "card_arrival"}]}
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ratchet.core.errors import TerminalError
from ratchet.core.log import log
from ratchet.finetune import detect

IGNORED = -100  # torch's label for "no loss here"
Message = dict[str, Any]


class BadExamples(TerminalError, ValueError):
    """The rows to train on are none."""

    code = "DATA_UNUSABLE"


class BadChatTemplate(TerminalError, ValueError):
    """The base's chat template cannot be trained with."""

    code = "MODEL_INVALID"


@dataclass(frozen=True)
class ChatRow:
    prompt: tuple[Message, ...]
    completion: tuple[Message, ...]


@dataclass(frozen=True)
class Example:
    """`labels` are the ids of the answer, its end of turn included, and IGNORED before."""

    input_ids: list[int]
    labels: list[int]

    @property
    def prompt_ids(self) -> list[int]:
        return self.input_ids[: self.labels.count(IGNORED)]


def read_rows(path: Path) -> list[ChatRow]:
    """Raises BadExamples for a file without rows, or with the number of the line that is not one."""
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):  # bytes: text also splits at U+2028
        try:
            row = json.loads(line)
            rows.append(ChatRow(tuple(row["prompt"]), tuple(row["completion"])))
        except (ValueError, TypeError, KeyError) as error:
            raise BadExamples(
                f"{path.name} line {number}: expected an object with prompt and completion, each a list of messages, "
                f"got {len(line)} bytes that are none ({type(error).__name__}); these files come from prepare"
            ) from error
    if not rows:
        raise BadExamples(f"{path.name} has no rows, expected at least one; submit more data, or widen its share")
    return rows


def encode(tokenizer: Any, rows: Sequence[ChatRow], max_seq_len_tokens: int) -> list[Example]:
    """Every row that fits, through the model's own chat template.

    Prompt and answer are encoded apart and joined: the model is asked later with exactly these prompt ids, however
    the tokenizer would merge over the border.

    Raises:
        LearnedNothing: no row fits, or the template leaves no answer.
    """
    prompts, answers = zip(*(_texts(tokenizer, row) for row in rows), strict=True)
    prompt_ids = tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
    answer_ids = tokenizer(list(answers), add_special_tokens=False)["input_ids"]
    every = [Example(p + a, [IGNORED] * len(p) + a) for p, a in zip(prompt_ids, answer_ids, strict=True)]
    fitting = [example for example in every if len(example.input_ids) <= max_seq_len_tokens]
    if len(fitting) < len(every):
        left_out = {"num_too_long": len(every) - len(fitting), "num_rows": len(every)}
        log.warning("rows left out", extra={**left_out, "max_seq_len_tokens": max_seq_len_tokens})
    detect.check_labels(
        num_rows=len(rows),
        num_too_long=len(every) - len(fitting),
        num_tokens=num_tokens(fitting),
        num_trainable_tokens=sum(len(example.labels) - example.labels.count(IGNORED) for example in fitting),
    )
    return fitting


def num_tokens(examples: Iterable[Example]) -> int:
    return sum(len(example.input_ids) for example in examples)


def _texts(tokenizer: Any, row: ChatRow) -> tuple[str, str]:
    prompt: str = tokenizer.apply_chat_template(list(row.prompt), tokenize=False, add_generation_prompt=True)
    whole: str = tokenizer.apply_chat_template([*row.prompt, *row.completion], tokenize=False)
    if not whole.startswith(prompt):
        raise BadChatTemplate(
            "the base's chat template writes a conversation that does not begin with its own prompt, so what the "
            f"model is asked later is not what it is trained on: they differ from character "
            f"{_num_common(prompt, whole)} on; mend it"
        )
    return prompt, whole[len(prompt) :]


def _num_common(one: str, two: str) -> int:
    """How many characters both begin with. The texts themselves are users', and stay out of errors."""
    return next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
