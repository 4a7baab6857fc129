"""What can be sent: every kind of file and every shape of row, and what is told about those that cannot."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from tests.steps.validate.conftest import CLEAN, QUICK, RULES, Validate, as_csv, as_jsonl, lines
from tests.steps.validate.files import as_parquet, every_kind, parquet_of

from ratchet.clients.world import World
from ratchet.core.chat import Chat
from ratchet.prepare.chat import training_lines
from ratchet.validate.bad_upload import BadUpload

ASKED, SAID = "My card is late again", "card_arrival"
QUESTION, ANSWER = {"role": "user", "content": ASKED}, {"role": "assistant", "content": SAID}


def accepted(world: World, outputs: Any) -> list[tuple[str, str]]:
    return [(row["text"], row["label"]) for row in lines(world, outputs.accepted)]


def test_the_same_rows_come_out_of_every_kind_of_file(validate: Validate, world: World, tmp_path: Path) -> None:
    files = every_kind(tmp_path, CLEAN)

    outputs = {name: validate(content, name, rules=QUICK) for name, content in files.items()}

    assert {name for name, made in outputs.items() if accepted(world, made) != CLEAN} == set()
    assert len({made.accepted.sha256 for made in outputs.values()}) == 1


def test_compressed_files_in_several_parts_are_read_whole(validate: Validate, world: World) -> None:
    head, tail = as_csv(CLEAN[:10]), as_csv(CLEAN)[len(as_csv(CLEAN[:10])) :]

    for name, compress in (("up.csv.gz", gzip.compress), ("up.csv.zst", zstandard.compress)):
        assert accepted(world, validate(compress(head) + compress(tail), name, rules=QUICK)) == CLEAN


SHAPES: tuple[dict[str, Any], ...] = (
    {"text": ASKED, "label": SAID},
    {"prompt": ASKED, "completion": SAID},
    {"question": ASKED, "answer": SAID},
    {"instruction": ASKED, "output": SAID, "id": 7, "meta": {"a": [1]}},
    {"messages": [QUESTION, ANSWER], "prompt": "is kept out of training"},
)


@pytest.mark.parametrize("row", SHAPES)
def test_text_and_label_are_found_in_every_shape(validate: Validate, world: World, row: dict[str, Any]) -> None:
    outputs = validate(as_jsonl([row]), "up.jsonl", rules=QUICK)

    assert accepted(world, outputs) == [(ASKED, SAID)]


def test_one_question_and_its_answer_are_text_and_label_however_written(validate: Validate, world: World) -> None:
    conversations = (
        [QUESTION, {**ANSWER, "tool_calls": None, "name": "bot"}],
        [QUESTION, {**ANSWER, "tool_calls": []}],
        [{**QUESTION, "content": [{"type": "text", "text": ASKED}]}, ANSWER],
    )

    outputs = validate(as_jsonl([{"messages": messages} for messages in conversations]), "up.jsonl", rules=QUICK)

    assert accepted(world, outputs) == [(ASKED, SAID)] * len(conversations)


# messages → why they are no question and answer
CONVERSATIONS: tuple[tuple[Any, str], ...] = (
    ([{"role": "system", "content": "Be kind"}, QUESTION, ANSWER], "it has a system message"),
    ([{"role": "developer", "content": "Be kind"}, ANSWER], "it has a system message"),
    ([QUESTION, ANSWER, QUESTION, ANSWER], "it has 4 messages, not one question and its answer"),
    ([QUESTION, QUESTION], "it does not end with an answer of the assistant"),
    ([QUESTION], "it does not end with an answer of the assistant"),
    ([ANSWER], "it has 1 messages, not one question and its answer"),
    ([ANSWER, ANSWER], "it has 2 messages, not one question and its answer"),
    ([QUESTION, {"role": "tool", "content": "7"}, ANSWER], "it calls tools"),
    ([QUESTION, {**ANSWER, "tool_calls": [{"id": "a"}]}], "it calls tools"),
    ([QUESTION, {**ANSWER, "function_call": {"name": "a"}}], "it calls tools"),
    ([], "messages is empty"),
    ("hello there", "messages is not a list of objects with a role"),
    ([QUESTION, "hello there"], "messages is not a list of objects with a role"),
    ([{"from": "human", "value": ASKED}], "messages is not a list of objects with a role"),
    ([{**QUESTION, "content": [{"type": "image_url"}]}, ANSWER], "a content is not one text"),
    ([{**QUESTION, "content": [{"type": "text", "text": "a"}] * 2}, ANSWER], "a content is not one text"),
    ([QUESTION, {**ANSWER, "content": {"text": SAID}}], "a content is not one text"),
)


def test_a_conversation_of_another_form_is_quarantined_in_words(validate: Validate, world: World) -> None:
    rows = [{"messages": [QUESTION, ANSWER]}, *({"messages": messages, "id": 7} for messages, _ in CONVERSATIONS)]

    outputs = validate(as_jsonl(rows), "up.jsonl", rules=QUICK)

    assert accepted(world, outputs) == [(ASKED, SAID)]
    assert lines(world, outputs.quarantine) == [
        {"row": row, "reasons": ["conversation"], "details": [words], "fields": {"messages": messages, "id": 7}}
        for row, (messages, words) in enumerate(CONVERSATIONS, start=2)
    ]


# prompt, completion → why they are no question and answer
TURNS: tuple[tuple[Any, Any, str], ...] = (
    ([QUESTION], SAID, "prompt and completion are not both lists of messages"),
    (ASKED, [ANSWER], "prompt and completion are not both lists of messages"),
    ([QUESTION], None, "prompt and completion are not both lists of messages"),
    ([QUESTION, ANSWER], [], "prompt is not the question alone"),
    ([], [QUESTION, ANSWER], "prompt is not the question alone"),
    ([{"role": "system", "content": "Be kind"}, QUESTION], [ANSWER], "it has a system message"),
    ([QUESTION, ANSWER, QUESTION], [ANSWER], "it has 4 messages, not one question and its answer"),
    ([QUESTION], [{**ANSWER, "tool_calls": [{"id": "a"}]}], "it calls tools"),
    ([QUESTION], ["card_arrival"], "messages is not a list of objects with a role"),
    ([], [], "messages is empty"),
)


def test_lists_of_messages_in_prompt_and_completion_are_a_conversation(validate: Validate, world: World) -> None:
    whole = [
        {"prompt": [QUESTION], "completion": [ANSWER]},
        {"prompt": [{**QUESTION, "content": [{"type": "text", "text": ASKED}]}], "completion": [ANSWER]},
        {"prompt": ASKED, "completion": SAID},  # both forms in one file
    ]
    others = [{"prompt": prompt, "completion": completion} for prompt, completion, _ in TURNS]

    outputs = validate(as_jsonl([*whole, *others]), "up.jsonl", rules=QUICK)

    assert accepted(world, outputs) == [(ASKED, SAID)] * 3
    assert lines(world, outputs.quarantine) == [
        {"row": row, "reasons": ["conversation"], "details": [words], "fields": fields}
        for row, (fields, (*_, words)) in enumerate(zip(others, TURNS, strict=True), start=4)
    ]


def test_a_key_twice_in_a_message_of_a_prompt_is_told(validate: Validate, world: World) -> None:
    twice = b'{"prompt":[{"role":"user","content":"My card is late","content":"x"}],"completion":[{"role":"assistant",'
    rows = as_jsonl([{"prompt": [QUESTION], "completion": [ANSWER]}]) + twice + b'"content":"card"}]}\n'

    outputs = validate(rows, "up.jsonl", rules=QUICK)

    assert [line["details"] for line in lines(world, outputs.quarantine)] == [["a message has a key twice"]]


def test_prompts_and_completions_of_a_parquet_file_are_judged_alike(
    validate: Validate, world: World, tmp_path: Path
) -> None:
    rows = [
        {"prompt": [QUESTION], "completion": [ANSWER]},
        {"prompt": [QUESTION, QUESTION], "completion": [ANSWER]},
        {"prompt": [QUESTION], "completion": None},
    ]
    messages = "STRUCT(role VARCHAR, content VARCHAR)[]"
    content = parquet_of(tmp_path, rows, f"{{prompt: '{messages}', completion: '{messages}'}}")

    outputs = validate(content, "up.parquet", rules=QUICK)

    assert accepted(world, outputs) == [(ASKED, SAID)]
    assert [(row["row"], row["reasons"], row["details"]) for row in lines(world, outputs.quarantine)] == [
        (2, ["conversation"], ["it has 3 messages, not one question and its answer"]),
        (3, ["conversation"], ["prompt and completion are not both lists of messages"]),
    ]


def test_what_the_own_prepare_writes_can_be_sent(validate: Validate, world: World) -> None:
    chats = [Chat("", text, label) for text, label in CLEAN]

    outputs = validate(training_lines(chats), "train.jsonl", rules=QUICK)

    assert accepted(world, outputs) == CLEAN


def test_an_answer_that_is_missing_is_a_missing_label(validate: Validate, world: World) -> None:
    rows = [{"messages": [QUESTION, {"role": "assistant", "content": None}]}, {"messages": None}]

    outputs = validate(as_jsonl([{"messages": [QUESTION, ANSWER]}, *rows]), "up.jsonl", rules=QUICK)

    assert [row["reasons"] for row in lines(world, outputs.quarantine)] == [
        ["label_missing"],
        ["text_missing", "label_missing"],
    ]


def test_conversations_of_a_parquet_file_are_judged_alike(validate: Validate, world: World, tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be kind"}
    rows = [{"messages": [QUESTION, ANSWER]}, {"messages": [system, QUESTION, ANSWER]}, {"messages": None}]
    content = parquet_of(tmp_path, rows, "{messages: 'STRUCT(role VARCHAR, content VARCHAR)[]'}")

    outputs = validate(content, "up.parquet", rules=QUICK)

    assert accepted(world, outputs) == [(ASKED, SAID)]
    assert [(row["row"], row["reasons"], row["fields"]) for row in lines(world, outputs.quarantine)] == [
        (2, ["conversation"], rows[1]),
        (3, ["text_missing", "label_missing"], rows[2]),
    ]


def test_parquet_rows_keep_their_numbers_and_types(validate: Validate, world: World, tmp_path: Path) -> None:
    query = """
        SELECT CASE WHEN i % 100 = 99 THEN NULL ELSE 'My ticket is number ' || i END AS "Text", i % 3 AS label,
            CASE WHEN i % 100 = 99 THEN 'nan'::DOUBLE ELSE 0.5 END AS score, [i] AS "it's", DATE '2026-01-02' AS "at"
        FROM range(5000) t(i)
    """

    outputs = validate(as_parquet(tmp_path, query, ", ROW_GROUP_SIZE 2048"), "up.parquet", rules=QUICK)

    quarantined = lines(world, outputs.quarantine)
    assert accepted(world, outputs)[:2] == [("My ticket is number 0", "0"), ("My ticket is number 1", "1")]
    assert [row["row"] for row in quarantined] == list(range(100, 5001, 100))
    assert {tuple(row["reasons"]) for row in quarantined} == {("text_missing",)}
    assert quarantined[0]["fields"] == {"Text": None, "label": 0, "score": "nan", "it's": [99], "at": "2026-01-02"}


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ("['a'] AS text, 'x' AS label", "column 'text' is VARCHAR[], expected strings"),
        ("7 AS text, 'x' AS label", "column 'text' is INTEGER, expected strings"),
        ("'a'::BLOB AS text, 'x' AS label", "column 'text' is BLOB, expected strings"),
        ("'a' AS text, {'x': 1} AS label", "column 'label' is STRUCT(x INTEGER), expected strings or numbers"),
        ("'a' AS messages", "column 'messages' is VARCHAR, expected a list of {role, content}"),
        ("'a' AS foo, 'b' AS bar", "no text column"),
    ],
)
def test_a_parquet_column_of_another_type_is_named(validate: Validate, tmp_path: Path, select: str, words: str) -> None:
    with pytest.raises(Exception, match=r"up\.parquet: ") as caught:
        validate(as_parquet(tmp_path, f"SELECT {select}"), "up.parquet", rules=QUICK)

    assert words.replace('"', "") in str(caught.value).replace('"', "")


def test_what_is_neither_text_nor_label_is_in_the_quarantine_only(validate: Validate, world: World) -> None:
    rows = [{"text": ASKED, "label": SAID, "mail": "a@b.c"}, {"text": "wee", "label": SAID, "mail": "d@e.f"}]

    outputs = validate(as_jsonl(rows), "up.jsonl", rules=QUICK)

    assert b"a@b.c" not in world.store.read_bytes(outputs.accepted)
    assert lines(world, outputs.quarantine)[0]["fields"] == rows[1]


def test_lines_that_readers_would_read_differently_are_malformed(validate: Validate, world: World) -> None:
    odd = {
        '{"text":"My card is late","text":"My card is lost","label":"x"}': "a key is there twice",
        '{"text":"My card is late","label":"x","label":"y"}': "a key is there twice",
        '["My card is late","x"]': "not an object",
    }

    outputs = validate(
        as_jsonl([{"text": ASKED, "label": SAID}]) + "\n".join(odd).encode() + b"\n", "up.jsonl", rules=QUICK
    )

    rows = lines(world, outputs.quarantine)
    assert [(row["reasons"], row["details"]) for row in rows] == [(["malformed"], [words]) for words in odd.values()]
    kept = world.store.read_bytes(outputs.quarantine).decode().splitlines()
    assert all(f'"fields":{line}' in row for line, row in zip(odd, kept, strict=True))


def test_a_message_with_a_key_twice_is_told(validate: Validate, world: World) -> None:
    twice = '{"role": "user", "content": "My card is late", "content": "b"}'
    line = f'{{"messages": [{twice}, {json.dumps(ANSWER)}]}}\n'

    outputs = validate(as_jsonl([{"messages": [QUESTION, ANSWER]}]) + line.encode(), "up.jsonl", rules=QUICK)

    assert lines(world, outputs.quarantine)[0]["details"] == ["a message has a key twice"]


def test_an_upload_beyond_the_limit_is_refused_packed_or_not(validate: Validate, tmp_path: Path) -> None:
    content = as_csv(CLEAN * 100)
    small = RULES.model_copy(update={"max_upload_bytes": 10_000})
    repeated = as_parquet(tmp_path, "SELECT repeat('a', 99999) AS text, 'x' AS label FROM range(10)")
    many = as_parquet(tmp_path, "SELECT 'My card is late' AS text, 'x' AS label FROM range(99999)")
    files = {"up.csv": content, "up.csv.gz": gzip.compress(content), "a.parquet": repeated, "b.parquet": many}

    for name, sent in files.items():
        with pytest.raises(BadUpload, match="max_upload_bytes"):
            validate(sent, name, rules=small)
