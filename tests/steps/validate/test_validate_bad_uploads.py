"""Uploads that cannot be read: terminal, located, and nothing of them goes downstream."""

import pytest
from tests.steps.validate.conftest import CLEAN, QUICK, Validate, as_csv, as_jsonl, lines

from ratchet.clients.world import World
from ratchet.core.errors import EXIT_TERMINAL, TerminalError

GOOD_LINE = b'{"text": "My card is still late", "label": "card_arrival"}\n'
DEEP = b'{"text": "My card is late", "label": "x", "more": ' + b"[" * 50_000 + b"\n"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", b"", ["empty.csv", "empty (0 bytes)"]),
        ("empty.jsonl", b"\n \n", ["empty (3 bytes)"]),
        ("header.csv", b"text,label\n", ["no rows"]),
        ("header-only.csv", b"\xef\xbb\xbftext,label", ["no rows"]),
        ("photo.png", b"\x89PNG", ["unknown kind of file", ".csv, .tsv, .jsonl, .ndjson"]),
        ("latin.csv", b"text,label\ncaf\xe9 is late again,x\n", ["not UTF-8 at byte 14 (line 2)"]),
        ("nul.csv", b"text,label\nmy card\0 is late,x\n", ["NUL byte at byte 18 (line 2)"]),
        ("columns.csv", b"foo,bar\nmy card is late,x\n", ["no text column", "'foo', 'bar'", "--text-column"]),
        ("columns.jsonl", b'{"foo": 1}\n', ["no text column", "'foo'", "--text-column"]),
        ("quote.csv", b'text,label\nmy card is late,x\n"my card,y\nand on\n', ["row 2", "line 3", "open", "byte 47"]),
        ("quote.csv", b'text,label\n"a "late" card is bad",x\n', ["row 1", "line 2", "quotes inside doubled"]),
        ("cut.csv", b"text,label\nmy card is late,x\nmy ca", ["ends at byte 34 inside row 2", "1 of 2 fields"]),
        ("cut.csv", b"text,label\nmy card is late,card\nmy card is lost,car", ["ends at byte 51", "row 2", "cut off"]),
        ("cut.csv", b"label,text\nx,my card is late\nx,my card is lo", ["byte 44", "row 2", "add a line break"]),
        ("cut.jsonl", GOOD_LINE + GOOD_LINE[:30], ["line 2 (bytes 59 to 89)", "ends inside it, at byte 89", "cut off"]),
        ("middle.jsonl", GOOD_LINE + GOOD_LINE[:30] + b"\n" + GOOD_LINE, ["line 2 (bytes 59 to 90)", "one object"]),
        ("pretty.json", b'[{"text": "a"}]', ["unknown kind of file"]),
        ("array.jsonl", b'[{"text": "a",\n "label": "b"}]\n', ["one JSON list", "one object per line"]),
        ("two.jsonl", GOOD_LINE + GOOD_LINE.rstrip() + GOOD_LINE, ["line 2", "Extra data"]),
        ("deep.jsonl", GOOD_LINE + DEEP, ["line 2"]),
    ],
)  # fmt: skip
def test_an_upload_that_cannot_be_read_says_where(
    validate: Validate, name: str, content: bytes, words: list[str]
) -> None:
    with pytest.raises(TerminalError) as caught:
        validate(content, name)

    assert (caught.value.exit_code, caught.value.code) == (EXIT_TERMINAL, "DATA_REFUSED")
    assert all(word in str(caught.value) for word in [name, *words]), str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_column_named_by_option_must_be_there(validate: Validate) -> None:
    with pytest.raises(TerminalError, match="'Frage', as named by --text-column; the file has 'text', 'label'"):
        validate(as_csv(CLEAN), text_column="Frage")


@pytest.mark.parametrize(("text", "label_last"), [('My "new" card, late', True), ("My card is late", False)])
def test_a_csv_cut_at_any_byte_lets_no_cut_row_through(
    validate: Validate, world: World, text: str, label_last: bool
) -> None:
    rows = [(text, "card"), ("my parcel, where?", "parcel"), ("lost parcel", "parcel"), ("lost card é", "card")]
    whole = as_csv(rows) if label_last else as_csv([row[::-1] for row in rows], ("label", "text"))

    accepted = [_accepted(validate, world, whole[:k], "up.csv") for k in range(11, len(whole) + 1)]  # after the header

    assert all(found == rows[: len(found)] for found in accepted)
    assert accepted[-1] == rows


def test_json_lines_cut_at_any_byte_let_no_cut_row_through(validate: Validate, world: World) -> None:
    rows = [{"text": "My card is late, é", "label": "card"}, {"text": "Where is my parcel", "label": "parcel"}]
    whole = as_jsonl(rows)

    accepted = [_accepted(validate, world, whole[:k], "up.jsonl") for k in range(len(whole) + 1)]

    assert all(found == [tuple(row.values()) for row in rows[: len(found)]] for found in accepted)


def _accepted(validate: Validate, world: World, content: bytes, name: str) -> list[tuple[str, str]]:
    """What goes downstream: the rows of an upload that was neither refused nor unreadable."""
    try:
        outputs = validate(content, name, rules=QUICK)
    except TerminalError:
        return []
    rows = lines(world, outputs.accepted) if outputs.status == "ACCEPTED" else []
    return [(row["text"], row["label"]) for row in rows]
