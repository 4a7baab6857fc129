import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.planted import PROMPT, leaks

from ratchet.finetune.detect import LearnedNothing
from ratchet.finetune.examples import IGNORED, BadChatTemplate, BadExamples, ChatRow, encode, num_tokens, read_rows


class Characters:
    """A tokenizer of one id per character, with a chat template of one letter per role."""

    template = "{role}:{content};"

    def __call__(self, texts: list[str], add_special_tokens: bool) -> dict[str, list[list[int]]]:
        return {"input_ids": [[ord(character) for character in text] for text in texts]}

    def apply_chat_template(self, messages: list[Any], tokenize: bool, add_generation_prompt: bool = False) -> str:
        turns = "".join(f"{m['role'][0]}:{m['content']};" for m in messages)
        return turns + ("a:" if add_generation_prompt else "")


class Forgetful(Characters):
    """A template that writes earlier turns otherwise once there is an answer, as some reasoning templates do."""

    def apply_chat_template(self, messages: list[Any], tokenize: bool, add_generation_prompt: bool = False) -> str:
        return super().apply_chat_template(messages[-1:], tokenize, add_generation_prompt)


def row(question: str, answer: str) -> ChatRow:
    return ChatRow(({"role": "user", "content": question},), ({"role": "assistant", "content": answer},))


def decoded(ids: list[int]) -> str:
    return "".join("_" if i == IGNORED else chr(i) for i in ids)


def test_the_loss_is_on_the_answer_and_its_end_only() -> None:
    [example] = encode(Characters(), [row("hi", "yes")], max_seq_len_tokens=64)

    assert decoded(example.input_ids) == "u:hi;a:yes;"
    assert decoded(example.labels) == "_______yes;"
    assert decoded(example.prompt_ids) == "u:hi;a:"


@pytest.mark.parametrize(("max_seq_len_tokens", "num_kept"), [(11, 1), (12, 2), (64, 2)])
def test_a_row_that_does_not_fit_is_left_out_whole(max_seq_len_tokens: int, num_kept: int) -> None:
    examples = encode(Characters(), [row("hi", "yes"), row("why", "yes")], max_seq_len_tokens)

    assert len(examples) == num_kept
    assert num_tokens(examples) == sum([11, 12][:num_kept])


def test_rows_that_all_are_too_long_are_nothing_to_learn_from() -> None:
    with pytest.raises(LearnedNothing, match="2 of 2 rows do not fit"):
        encode(Characters(), [row("hi", "yes")] * 2, max_seq_len_tokens=10)


def test_a_template_that_rewrites_the_prompt_is_refused() -> None:
    with pytest.raises(
        BadChatTemplate, match=r"does not begin with its own prompt.*differ from character 0"
    ) as refused:
        encode(Forgetful(), [row(PROMPT, "yes")], max_seq_len_tokens=64)

    assert leaks(str(refused.value)) == []


def test_rows_are_read_as_prepare_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    record = {
        "prompt": [{"role": "user", "content": "hi\u2028"}],
        "completion": [{"role": "assistant", "content": "a"}],
    }
    path.write_text(json.dumps(record, ensure_ascii=False) + "\n", "utf-8")

    assert read_rows(path) == [row("hi\u2028", "a")]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "{}", '{"prompt": []}', '{"prompt": 1, "completion": []}', f'{{"prompt": "{PROMPT}"'],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"prompt": [], "completion": []}\n' + line + "\n")

    with pytest.raises(BadExamples, match=r"train\.jsonl line 2") as refused:
        read_rows(path)
    assert leaks(str(refused.value)) == []


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "validation.jsonl"
    path.write_text("")

    with pytest.raises(BadExamples, match=r"validation\.jsonl has no rows"):
        read_rows(path)
