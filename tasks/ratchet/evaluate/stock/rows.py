"""One document of a stock task, as lm-eval asked it, becomes one row of ours.

    {"id": "mmlu_anatomy/3", "subject": "anatomy", "shown": {"system": "The following are …", "examples": "…\\n\\n"},
     "text": "Which of …\\nAnswer:", "choices": ["A", "B", "C", "D"], "answer": 2}

`shown` is what stands around the question. It is kept apart, since a training set may hold a few-shot example without
having seen the question (evaluate/overlap.py reads `text`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ratchet.evaluate.rows import Row
from ratchet.evaluate.stock.config import Shape, Unsupported, asks_mc2

Record = Mapping[str, Any]  # one of lm-eval's samples
_IMPOSSIBLE = -1000.0  # nats: e to this is 0


def as_text(messages: Sequence[Mapping[str, str]], add_generation_prompt: bool = True) -> str:
    """In place of a chat template: keeps the messages apart, so that they can be read back."""
    return json.dumps([list(messages), add_generation_prompt], ensure_ascii=False)


def rows_of(task: Any, records: Sequence[Record], subject: str | None) -> list[Row]:
    """In lm-eval's order. Raises Unsupported, naming documents without a right answer."""
    asked = [_row(task, record, subject) for record in records]
    if task.OUTPUT_TYPE == "multiple_choice":
        bad = [row["id"] for row in asked if not _has_an_answer(row)]
        if bad:
            raise Unsupported(
                f"{task.config.task}: {len(bad)} of {len(asked)} documents have no right answer among their choices "
                f"(the first is {bad[0]}): every model would be wrong"
            )
    return asked


def shape_of(tasks: Sequence[Any], rows: Sequence[Row]) -> Shape:
    """Of all rows together. Drops `shown` from them where it is empty in all."""
    shape = Shape(
        system=any(row["shown"]["system"] for row in rows),
        examples=any(row["shown"]["examples"] for row in rows),
        many_texts=any(task.multiple_input for task in tasks),
    )
    if not shape.system and not shape.examples:
        for row in rows:
            del row["shown"]
    return shape


def json_lines(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _row(task: Any, record: Record, subject: str | None) -> Row:
    document = record["doc"]
    system, examples, text = _shown(task, record)
    row: Row = {
        "id": f"{task.config.task}/{record['doc_id']}",
        **({"subject": subject} if subject else {}),
        "shown": {"system": system, "examples": examples},
        "text": text,
    }
    return {**row, **_answer(task, document, record)}


def _shown(task: Any, record: Record) -> tuple[str, str, str]:
    """System message, examples and question."""
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        return "", "", record["arguments"][0][0]
    # Where the choices are whole texts, the right one stands for all of them.
    right = task.doc_to_text(record["doc"]) if task.multiple_input else 0
    system, asked = _read(record["arguments"][right][0])
    if task.config.num_fewshot:
        alone = task.fewshot_context(
            doc=record["doc"],
            num_fewshot=0,
            apply_chat_template=True,
            chat_template=as_text,
            gen_prefix=task.doc_to_prefix(record["doc"]),
        )
        question = _read(alone[right] if task.multiple_input else alone)[1]
    else:
        question = asked
    if task.multiple_input:
        return system, "", f"{question} {record['target']}"
    return system, asked.removesuffix(question), question


def _read(context: str) -> tuple[str, str]:
    """The system's and the user's words; the beginning of an answer is the task file's (`gen_prefix`)."""
    words = {message["role"]: message["content"] for message in json.loads(context)[0]}
    return words.get("system", ""), words["user"]


def _answer(task: Any, document: Any, record: Record) -> dict[str, Any]:
    """The fields that say what is right, and what there is to choose from."""
    target = record["target"]
    if task.OUTPUT_TYPE == "multiple_choice":
        return _choices(task, document, record)
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        return {}
    if task.OUTPUT_TYPE == "generate_until":
        if task.config.doc_to_choice is not None:
            target = task.doc_to_choice(document)[target]
        elif task.multiple_target:
            return {"answer": [str(each) for each in _as_list(target)]}
    return {"answer": str(target)}


def _choices(task: Any, document: Any, record: Record) -> dict[str, Any]:
    choices, target = list(task.doc_to_choice(document)), record["target"]
    if asks_mc2(vars(task.config)):
        return {"choices": choices, "labels": list(_labels(task, document, len(choices)))}
    if task.multiple_input:
        texts = [_read(context)[1] for context, _ in record["arguments"]]
        return {"choices": texts, "continuation": target, "answer": task.doc_to_text(document)}
    if task.multiple_target:
        return {"choices": choices, "answer": [_position(each, choices) for each in _as_list(target)]}
    return {"choices": choices, "answer": _position(target, choices)}


def _labels(task: Any, document: Any, num_choices: int) -> Iterator[int]:
    """Of the stock task's own scoring: all of the probability on one choice is 1 if that is true."""
    for true in range(num_choices):
        answers = [(0.0 if choice == true else _IMPOSSIBLE, False) for choice in range(num_choices)]
        yield round(task.process_results(document, answers)["acc"])


def _position(target: Any, choices: Sequence[str]) -> int | None:
    if isinstance(target, str):
        return choices.index(target) if target in choices else None
    return int(target) if 0 <= int(target) < len(choices) else None


def _has_an_answer(row: Row) -> bool:
    answers = row["labels"] if "labels" in row else _as_list(row["answer"])
    return bool(answers) and None not in answers and ("labels" not in row or 1 in answers)


def _as_list(target: Any) -> list[Any]:
    return list(target) if isinstance(target, list | tuple) else [target]
