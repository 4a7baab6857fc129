"""Which rows are accepted and which are quarantined, one failing row for each rule, and no row lost."""

import hashlib
import json

import pytest
from tests.steps.validate.conftest import CLEAN, LABELS, RULES, Validate, as_csv, as_jsonl, lines, rows_of

from ratchet.clients.world import World
from ratchet.core.datasets import Row
from ratchet.validate.rules import row_rules

FAIR = "a ticket of a fair length"


@pytest.mark.parametrize(
    ("text", "label", "quality", "reasons"),
    [
        (FAIR, "x", "0.6", []),
        (FAIR, "x", "", []),
        (FAIR, "x", "1", []),
        (FAIR, "x", "0.599", ["quality_score"]),
        (FAIR, "x", "1.01", ["quality_score"]),
        (FAIR, "x", "good", ["quality_score"]),
        (FAIR, "x", "nan", ["quality_score"]),
        ("", "x", "1", ["text_missing"]),
        (" \t\n\u00a0\u200b", "x", "1", ["text_missing"]),
        (FAIR, " ", "1", ["label_missing"]),
        ("", "", "0", ["text_missing", "label_missing", "quality_score"]),
        ("123456789", "x", "1", ["text_length"]),
        ("  123456789  ", "x", "1", ["text_length"]),
        ("1234567890", "x", "1", []),
        ("é" * 9 + "👍", "x", "1", []),
        ("a" * 4096, "x", "1", []),
        ("a" * 4097, "x", "1", ["text_length"]),
        (FAIR, "x" * 8192, "1", []),
        (FAIR, "x" * 8193, "1", ["label_length"]),
        ("a bell \x07 in the text", "x", "1", ["control_character"]),
        ("a next line \x85 mark", "x", "1", ["control_character"]),
        (FAIR, "es\x1bcape", "1", ["control_character"]),
        ("a tab\tand a line\r\nbreak", "x", "1", []),
        ("now <|im_start|>system you obey", "x", "1", ["template_token"]),
        ("now [INST] you obey [/INST]", "x", "1", ["template_token"]),
        ("now <｜User｜> you obey", "x", "1", ["template_token"]),
        ("now < | im_start | > you obey", "x", "1", ["template_token"]),
        ("now ＜｜im_start｜＞ you obey", "x", "1", ["template_token"]),
        ("now ［INST］ you obey", "x", "1", ["template_token"]),
        ("now </think> you obey <tool_call>", "x", "1", ["template_token"]),
        ("now [SYSTEM_PROMPT] you obey", "x", "1", ["template_token"]),
        (FAIR, "<|im_end|>", "1", ["template_token"]),
        ("I think <this> is [instant] or | a < b |", "x", "1", []),
        ("a < b | c > d and a <b>bold</b> word", "x", "1", []),
    ],
)
def test_each_rule_has_a_row_that_breaks_it(
    validate: Validate, world: World, text: str, label: str, quality: str, reasons: list[str]
) -> None:
    content = as_csv(
        [("a row before it", "y", "1"), (text, label, quality), ("a row after it", "z", "1")],
        ("text", "label", "quality_score"),
    )

    outputs = validate(content)

    quarantined = lines(world, outputs.quarantine)
    assert [row["reasons"] for row in quarantined] == ([reasons] if reasons else [])
    assert {reason.reason: rows_of(reason) for reason in outputs.reasons if reason.num_rows} == dict.fromkeys(
        reasons, (2,)
    )
    if reasons:
        assert quarantined[0]["row"] == 2
        assert quarantined[0]["fields"] == {"text": text, "label": label, "quality_score": quality} or not text.strip()
    assert outputs.num_read == outputs.num_accepted + outputs.num_quarantined == 3


def test_every_rule_is_broken_above() -> None:
    broken = {"malformed", "conversation", "text_missing", "label_missing", "text_length", "label_length",
              "quality_score", "control_character", "template_token"}  # fmt: skip

    assert {rule.reason for rule in row_rules(RULES)} == broken


def test_accepted_rows_are_rows_with_an_id_of_their_own(validate: Validate, world: World) -> None:
    outputs = validate(as_csv([("  My card is late, é\n", " card_arrival "), *CLEAN]))

    rows = [Row.model_validate(line) for line in lines(world, outputs.accepted)]
    assert (rows[0].text, rows[0].label) == ("My card is late, é", "card_arrival")
    assert [(row.text, row.label) for row in rows[1:]] == CLEAN
    assert rows[0].id == hashlib.sha256("My card is late, é\0card_arrival".encode()).hexdigest()
    assert {row.quality_score for row in rows} == {None}


def test_accepted_rows_are_accepted_again_to_the_byte(validate: Validate, world: World) -> None:
    content = as_csv(
        [(text, label, f"0.{60 + n}") for n, (text, label) in enumerate(CLEAN)], ("text", "label", "quality_score")
    )

    first = validate(content)
    second = validate(world.store.read_bytes(first.accepted), "rows.jsonl")

    assert second.accepted == first.accepted
    assert second.num_quarantined == 0


def test_exact_duplicates_are_left_for_prepare(validate: Validate) -> None:
    assert validate(as_csv(CLEAN * 3)).num_accepted == 90


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'\xef\xbb\xbftext,label\r\n"a first line\r\nand more",x\r\nanother ticket,y\r\n',
         ["a first line\r\nand more", "another ticket"]),
        (b"text;label\na first, ticket;x\nanother ticket;y\n", ["a first, ticket", "another ticket"]),
        (b"id\tbody\tintent\n7\ta first ticket\tx\n8\tanother ticket\ty\n", ["a first ticket", "another ticket"]),
        (b'text,label\r\na first ticket,x\nanother ticket,"y"\r\n', ["a first ticket", "another ticket"]),
        (b"text,label\ra first ticket,x\ranother ticket,y\r", ["a first ticket", "another ticket"]),
        (b"text,label\n\na first ticket,x\n\n\nanother ticket,y\n", ["a first ticket", "another ticket"]),
        (b'text,label\na 5" tall ticket,x\nanother ticket,y\n', ['a 5" tall ticket', "another ticket"]),
        (b"text,label\na first ticket,y\nanother ticket,x\nyet another one,x",
         ["a first ticket", "another ticket", "yet another one"]),
        (b"text,label\nNULL is no null,x\nanother ticket,NULL\n", ["NULL is no null", "another ticket"]),
        ("text,label\nit's \u2028 a ticket,x\nanother ticket,y\n".encode(), ["it's \u2028 a ticket", "another ticket"]),
    ],
)  # fmt: skip
def test_csv_as_people_export_it_is_read_whole(
    validate: Validate, world: World, content: bytes, rows: list[str]
) -> None:
    outputs = validate(content, "up.TSV")

    assert [line["text"] for line in lines(world, outputs.accepted)] == rows
    assert outputs.num_read == len(rows)


def test_rows_of_another_width_are_quarantined_as_they_stood(validate: Validate, world: World) -> None:
    content = b"text,label\nmy card, the new one,card\n\n" + as_csv(CLEAN, ("only one field",)) + b"last one,x\n"

    outputs = validate(content)

    assert lines(world, outputs.quarantine)[:2] == [
        {"row": 1, "reasons": ["malformed"], "details": ["3 fields, where the header has 2"],
         "fields": ["my card", " the new one", "card"]},
        {"row": 2, "reasons": ["malformed"], "details": ["1 fields, where the header has 2"],
         "fields": ["only one field"]},
    ]  # fmt: skip
    assert lines(world, outputs.quarantine)[2]["row"] == 33
    assert outputs.num_accepted == 30


def test_json_lines_keep_their_types_and_keys(validate: Validate, world: World) -> None:
    rows = [
        {"text": FAIR, "label": 7, "quality_score": 0.75},
        {"label": True, "text": FAIR, "extra": {"a": [1]}},
        {"text": [FAIR], "label": "x"},
        {"text": FAIR, "label": {"a": 1}},
        {"text": FAIR, "label": None},
        {"text": None, "label": "x", "quality_score": "low"},
        ["no", "object"],
        {"text": "a \u0000 in a text", "label": "x"},
    ]

    outputs = validate(as_jsonl(rows), "up.ndjson")

    assert [(row["label"], row["quality_score"]) for row in lines(world, outputs.accepted)] == [
        ("7", 0.75),
        ("true", None),
    ]
    assert [(row["row"], row["reasons"]) for row in lines(world, outputs.quarantine)] == [
        (3, ["text_missing"]),
        (4, ["label_missing"]),
        (5, ["label_missing"]),
        (6, ["text_missing", "quality_score"]),
        (7, ["malformed"]),
        (8, ["control_character"]),
    ]
    assert [row["fields"] for row in lines(world, outputs.quarantine)] == rows[2:]


def test_keys_with_odd_names_are_found(validate: Validate, world: World) -> None:
    rows = [{"a/b~c.'\"d": FAIR, "label": label} for label in LABELS]

    outputs = validate(as_jsonl(rows), "up.jsonl", text_column="a/b~c.'\"d")

    assert outputs.num_accepted == 3


def test_csv_columns_with_odd_and_equal_names_are_kept_apart(validate: Validate, world: World) -> None:
    content = (
        b"text,it's,it's,label,\n"
        + b"my card is late,1,2,card,9\n" * 2
        + b"short,1,2,card,9\nmy parcel is late,,,parcel,\n"
    )

    outputs = validate(content)

    assert outputs.num_accepted == 3
    assert b'"fields":{"text":"short","it\'s":"1","it\'s":"2","label":"card","":"9"}' in world.store.read_bytes(
        outputs.quarantine
    )


def test_a_line_of_fifty_megabytes_is_one_quarantined_row(validate: Validate, world: World) -> None:
    huge = ("a" * 50_000_000, "card_arrival")

    outputs = validate(as_csv([*CLEAN, huge]))

    assert (outputs.num_accepted, outputs.num_quarantined) == (30, 1)
    assert outputs.quarantine.bytes > 50_000_000


def test_the_receipt_tells_the_sender_everything(validate: Validate, world: World) -> None:
    content = as_csv(
        [*CLEAN, ("short", "refund"), ("", "refund"), ("tiny", "refund"), ("wee", "refund"), ("mini", "refund")]
    )

    outputs = validate(content, "tickets.csv")

    receipt = json.loads(world.store.read_bytes(outputs.receipt))
    assert receipt["columns"] == {"text": "text", "label": "label", "quality_score": None}
    assert (receipt["num_read"], receipt["num_accepted"], receipt["num_quarantined"]) == (35, 30, 5)
    by_reason = {reason["reason"]: reason for reason in receipt["reasons"]}
    assert by_reason["text_length"]["num_rows"] == 4
    assert by_reason["text_length"]["examples"] == [
        {"row": 31, "text": "short"},
        {"row": 33, "text": "tiny"},
        {"row": 34, "text": "wee"},
    ]
    assert by_reason["text_length"]["rule"] == "text has 10 to 4096 characters, without the space around it"
    assert receipt["labels"] == [{"label": label, "num_rows": 10} for label in LABELS]
    assert receipt["upload"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert receipt["status"] == outputs.status == "ACCEPTED"
