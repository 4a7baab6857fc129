"""Uploads made to break a reader: each gets its sentence, in bounded memory and time."""

import gzip
import struct
from pathlib import Path

import pytest
import zstandard
from tests.steps.validate.conftest import CLEAN, QUICK, Validate, as_csv, as_jsonl, lines
from tests.steps.validate.files import as_parquet

from ratchet.clients.world import World
from ratchet.core.errors import TerminalError
from ratchet.validate.upload import MAX_LINE_BYTES

GOOD = as_csv(CLEAN)
ROW = {"text": "My card is late", "label": "card_arrival"}
ZEROS = b"\0" * (64 << 20)


def refused(validate: Validate, content: bytes, name: str) -> str:
    with pytest.raises(TerminalError) as caught:
        validate(content, name, rules=QUICK)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", gzip.compress(GOOD), ["gzip-compressed", ".csv.gz"]),
        ("a.csv", b"PK\x03\x04" + b"x" * 99, ["Excel workbook", "CSV UTF-8"]),
        ("a.jsonl", b"PAR1" + b"x" * 99, ["Parquet", ".parquet"]),
        ("a.csv", as_jsonl([ROW]), ["JSON", ".jsonl"]),
        ("a.csv", b"<!DOCTYPE html><html>sign in</html>\n", ["a web page", "sign-in"]),
        ("a.csv.gz", GOOD, ["the name says gzip", "not compressed so"]),
        ("a.csv.zst", gzip.compress(GOOD), ["the name says zstd", "gzip-compressed"]),
        ("a.parquet", GOOD, ["not a Parquet file", "byte 0"]),
        ("a.parquet.gz", gzip.compress(b"PAR1"), ["compressed inside already"]),
        ("a.csv.gz", gzip.compress(gzip.compress(GOOD)), ["the file inside is gzip-compressed"]),
        ("a.csv.zst", zstandard.compress(b"x" * 257 + b"ustar" + b"x" * 99), ["the file inside is a tar archive"]),
        ("a.csv.gz.gz", gzip.compress(GOOD), ["unknown kind of file"]),
        ("a.csv.gz", gzip.compress(GOOD)[:-9], ["before its end mark", "cut off"]),
        ("a.csv.zst", zstandard.compress(GOOD)[:-1], ["before its end mark", "cut off"]),
        ("a.csv.gz", gzip.compress(GOOD) + b"more", ["cannot be unpacked near byte"]),
        ("a.csv.gz", b"", ["empty (0 bytes)"]),
        ("a.parquet", b"", ["empty (0 bytes)"]),
        ("a.csv", "text,label\nhi,x\n".encode("utf-16"), ["UTF-16", "save it as UTF-8"]),
        ("a.csv", b"text,label\n" + b"x" * (MAX_LINE_BYTES + 10), ["line 2, which starts at byte 11", "longer than"]),
        ("a.csv", b'text,label\n"' + (b"x" * 999 + b"\n") * 70_000, ["row 1", "line 2", "is a quote not closed?"]),
        ("a.csv", b",".join(b"c%d" % n for n in range(100_000)) + b"\n", ["100000 columns", "at most"]),
        ("a.csv", GOOD.replace(b"text,", b"body_of_mail,"), ["no text column", "'body_of_mail', 'label'"]),
        ("a.jsonl", as_jsonl([ROW]) + b'{"text": "\\ud800 is half", "label": "x"}\n', ["line 2", "surrogates"]),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_a_sentence(
    validate: Validate, name: str, content: bytes, words: list[str]
) -> None:
    sentence = refused(validate, content, name)

    assert all(word in sentence for word in [f"{name}: ", *words]), sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv.gz", gzip.compress(ZEROS, 1)), ("a.jsonl.zst", zstandard.compress(ZEROS))]
)
def test_a_bomb_is_refused_at_its_first_impossible_byte(validate: Validate, name: str, content: bytes) -> None:
    assert "a NUL byte at byte 0" in refused(validate, content, name)


def test_a_parquet_footer_that_claims_a_billion_rows_is_refused(validate: Validate, tmp_path: Path) -> None:
    content = as_parquet(tmp_path, "SELECT 'My card is late' AS text, 'x' AS label FROM range(7) t(i)")
    footer_bytes = struct.unpack("<I", content[-8:-4])[0]
    head, footer = content[: -8 - footer_bytes], content[-8 - footer_bytes : -8]
    # Thrift compact: an i64 field (type 6, one after the last: 0x16) of 7, zigzag, is 14. A billion takes five bytes.
    lie = footer.replace(b"\x16\x0e", b"\x16\x80\xa8\xd6\xb9\x07")
    assert lie != footer

    sentence = refused(validate, head + lie + struct.pack("<I", len(lie)) + content[-4:], "a.parquet")

    assert sentence.startswith("a.parquet: ")


def test_deep_json_beside_the_text_is_read(validate: Validate, world: World) -> None:
    deep = b'{"text": "wee", "label": "x", "more": ' + b"[" * 30_000 + b"]" * 30_000 + b"}\n"

    outputs = validate(as_jsonl([ROW]) + deep, "a.jsonl", rules=QUICK)

    assert (outputs.num_accepted, outputs.num_quarantined) == (1, 1)
    assert b"[" * 30_000 in world.store.read_bytes(outputs.quarantine)


def test_formulas_and_markup_in_cells_are_data(validate: Validate, world: World) -> None:
    cells = [
        "=cmd|' /C calc'!A0 my card",
        "<script>alert('card')</script>",
        "'; DROP TABLE judged; --",
        "../../etc/passwd",
    ]
    short = [["=1+1", "refund"]]

    outputs = validate(as_csv([*([cell, "refund"] for cell in cells), *short]), rules=QUICK)

    assert [row["text"] for row in lines(world, outputs.accepted)] == cells
    assert lines(world, outputs.quarantine)[0]["fields"] == {"text": "=1+1", "label": "refund"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/up.csv", "up.csv"),
        ("C:\\temp\\up.csv", "up.csv"),
        ("a\nb\x1b[31m.csv", "a�b�[31m.csv"),
        ("\u202ecsv.csv", "�csv.csv"),
        ("x" * 5000 + ".csv", "x" * 60 + "…" + "x" * 56 + ".csv"),
        ("'; DROP TABLE judged; --.csv", "'; DROP TABLE judged; --.csv"),
    ],
)
def test_a_name_is_one_short_line_wherever_it_is_shown(validate: Validate, name: str, shown: str) -> None:
    assert refused(validate, b"", name).startswith(f"{shown}: ")
