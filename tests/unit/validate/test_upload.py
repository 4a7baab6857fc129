"""Bytes that are no data: every refusal says which byte, line or row."""

from pathlib import Path

import pytest

from ratchet.core.refs import CHUNK_BYTES
from ratchet.validate.bad_upload import BadUpload
from ratchet.validate.csv_text import csv_header, tidy_csv
from ratchet.validate.json_lines import bad_json_line, jsonl_names
from ratchet.validate.upload import Upload
from ratchet.validate.upload import open_upload as open_limited


def open_upload(path: Path, name: str, max_bytes: int = 1 << 30) -> Upload:
    return open_limited(path, name, max_bytes)


def put(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", ["a.csv", "empty (0 bytes)"]),
        ("a.csv", b" \n\r\n", ["empty (4 bytes)"]),
        ("a.jsonl", b"\xef\xbb\xbf\n", ["empty (4 bytes)"]),
        ("a.xlsx", b"PK", ["unknown kind", ".csv"]),
        ("a", b"text,label\n", ["unknown kind"]),
        ("a.csv", b"text,label\ncaf\xe9,x\n", ["not UTF-8 at byte 14 (line 2)", "save the file as UTF-8"]),
        ("a.csv", "text,label\ncafé".encode()[:-1], ["ends at byte 14 (line 2) inside a character", "cut off"]),
        ("a.csv", "text,label\nhi,x\n".encode("utf-16"), ["UTF-16"]),
        ("a.jsonl", b'{"text": "a\0"}\n', ["NUL byte at byte 11 (line 1)"]),
        ("a.csv", b"x" * (CHUNK_BYTES - 1) + "é\n".encode() + b"\xff", [f"byte {CHUNK_BYTES + 2} (line 2)"]),
    ],
)
def test_unreadable_bytes_are_located(tmp_path: Path, name: str, content: bytes, words: list[str]) -> None:
    with pytest.raises(BadUpload) as caught:
        open_upload(put(tmp_path, content), name)

    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_character_across_two_chunks_is_whole(tmp_path: Path) -> None:
    content = b"x" * (CHUNK_BYTES - 1) + "é,y\n".encode()

    assert open_upload(put(tmp_path, content), "a.csv").num_bytes == len(content)


def test_a_byte_order_mark_is_taken_off(tmp_path: Path) -> None:
    upload = open_upload(put(tmp_path, b"\xef\xbb\xbftext,label\na,b"), "a.CSV")

    assert upload.path.read_bytes() == b"text,label\na,b"
    assert not upload.ends_with_line_break


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"text,label\n", (",", ["text", "label"])),
        (b"text;label;x\n", (";", ["text", "label", "x"])),
        (b'"text"\tlabel\r\n', ("\t", ["text", "label"])),
        (b'"a, b",label\n', (",", ["a, b", "label"])),
        (b"\n\ntext, label\n", (",", ["text", "label"])),
        (b"alone\n", (",", ["alone"])),
    ],
)
def test_the_header_says_the_delimiter(tmp_path: Path, content: bytes, expected: tuple[str, list[str]]) -> None:
    assert csv_header(open_upload(put(tmp_path, content), "a.csv")) == expected


def test_tidying_keeps_every_row_and_marks_rows_of_another_width(tmp_path: Path) -> None:
    upload = open_upload(put(tmp_path, b'text,label\r\na,"b\r\nc"\nx,y,z\n\nonly\rlast,"q""q"\n'), "a.csv")

    tidy_csv(upload, ",", 2, tmp_path / "tidy")

    assert (tmp_path / "tidy").read_bytes() == (
        b'text,label,\na,"b\r\nc",\n,,"[""x"", ""y"", ""z""]"\n,,"[""only""]"\nlast,"q""q",\n'
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'text,label\nfirst,a\n"open,b\nx,c\n', ["row 2, which starts in line 3", "still open", "at byte 31"]),
        (b'text,label\n"a\nb",a\n"say "hi" now",b\n', ["row 2, which starts in line 4", "quotes inside doubled"]),
        (b"text,label\nfirst,a\nsec", ["ends at byte 22 inside row 2, after 1 of 2 fields", "cut off"]),
    ],
)
def test_csv_that_cannot_be_mended_is_located(tmp_path: Path, content: bytes, words: list[str]) -> None:
    upload = open_upload(put(tmp_path, content), "a.csv")

    with pytest.raises(BadUpload) as caught:
        tidy_csv(upload, ",", 2, tmp_path / "tidy")

    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1}\n{"a": 2', ["line 2 (bytes 9 to 16)", "ends inside it, at byte 16", "cut off"]),
        (b'{"a": 1}\n\n{"a": 2\n{"a": 3}\n', ["line 3 (bytes 10 to 18)", "one object per line"]),
        (b'{"a": "\\ud800"}\n', ["line 1", "surrogates not allowed"]),
        (b"[" * 100_000 + b"]" * 100_000 + b"\n", ["line 1", "recursion"]),
        (b'{"a": 1}\n', ["cannot be read as JSON lines: too big"]),
    ],
)
def test_json_lines_that_are_none_are_located(tmp_path: Path, content: bytes, words: list[str]) -> None:
    error = bad_json_line(open_upload(put(tmp_path, content), "a.jsonl"), "too big")

    assert all(word in str(error) for word in words), str(error)


def test_keys_are_those_of_the_first_objects(tmp_path: Path) -> None:
    upload = open_upload(put(tmp_path, b'{"b": 1}\n[1]\n\n{"a": 1, "b": 2}\n{"c": 3}\n'), "a.jsonl")

    assert jsonl_names(upload, num_lines=3) == ["b", "a"]
