"""What can be wrong with the bytes of an upload before any row can be judged; every refusal says where.

A CSV upload: `text,label⏎"My card, please",card_arrival⏎`.
A JSON lines upload: `{"text": "My card, please", "label": "card_arrival"}⏎`.
"""

import codecs
import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ratchet.core.errors import TerminalError
from ratchet.core.refs import CHUNK_BYTES

MAX_LINE_BYTES = 64 << 20
_CUT_OFF = "it was cut off; send the whole file again"
_DELIMITERS = ",;\t|"
_SUFFIXES: dict[str, Literal["csv", "jsonl"]] = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class BadUpload(TerminalError, ValueError):
    """The upload cannot be read as what its name says."""


@dataclass(frozen=True)
class Upload:
    """A readable upload: UTF-8 without byte order mark or NUL, not empty."""

    path: Path
    name: str
    kind: Literal["csv", "jsonl"]
    num_bytes: int
    ends_with_line_break: bool


def open_upload(path: Path, name: str) -> Upload:
    """Read all bytes once. Raises BadUpload with the byte offset and line of what is wrong."""
    kind = _SUFFIXES.get(Path(name).suffix.lower())
    if kind is None:
        raise BadUpload(f"{name}: unknown kind of file: expected a name that ends in {', '.join(_SUFFIXES)}")
    num_bytes = path.stat().st_size
    _refuse_bad_bytes(path, name)
    if has_mark := _starts_with(path, codecs.BOM_UTF8):
        path = _without_mark(path)
    if not _has_content(path):
        raise BadUpload(f"{name}: the file is empty ({num_bytes} bytes): expected a header and rows, or JSON lines")
    return Upload(path, name, kind, num_bytes - 3 * has_mark, _last_byte(path) in b"\r\n")


def _refuse_bad_bytes(path: Path, name: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, lines = 0, 1
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK_BYTES)
            pending = decoder.getstate()[0]
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                at, line = offset - len(pending) + error.start, lines + (pending + chunk)[: error.start].count(b"\n")
                raise BadUpload(_not_utf8(path, name, at, line, not chunk)) from None
            if (nul := chunk.find(b"\0")) >= 0:
                line = lines + chunk.count(b"\n", 0, nul)
                raise BadUpload(
                    f"{name}: a NUL byte at byte {offset + nul} (line {line}): expected text; "
                    "export the file again as UTF-8, or remove the byte"
                )
            if not chunk:
                return
            offset, lines = offset + len(chunk), lines + chunk.count(b"\n")


def _not_utf8(path: Path, name: str, at: int, line: int, at_end: bool) -> str:
    if _starts_with(path, codecs.BOM_UTF16_LE) or _starts_with(path, codecs.BOM_UTF16_BE):
        return f"{name}: not UTF-8 at byte 0 (line 1): the file is UTF-16; save it as UTF-8 and submit it again"
    if at_end:
        return f"{name}: the file ends at byte {at} (line {line}) inside a character: {_CUT_OFF}"
    return f"{name}: not UTF-8 at byte {at} (line {line}): expected UTF-8; save the file as UTF-8 and submit it again"


def _starts_with(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark


def _without_mark(path: Path) -> Path:
    target = path.with_name(f"{path.name}.unmarked")
    with path.open("rb") as source, target.open("wb") as copy:
        source.seek(len(codecs.BOM_UTF8))
        shutil.copyfileobj(source, copy, CHUNK_BYTES)
    return target


def _has_content(path: Path) -> bool:
    with path.open("rb") as file:
        return any(chunk.strip() for chunk in iter(lambda: file.read(CHUNK_BYTES), b""))


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1)


# CSV


def csv_header(upload: Upload) -> tuple[str, list[str]]:
    """The delimiter (of , ; tab |, the one that makes most columns) and the names of the first line."""
    csv.field_size_limit(MAX_LINE_BYTES)
    found = [(delimiter, _first_record(upload, delimiter)) for delimiter in _DELIMITERS]
    delimiter, names = max(found, key=lambda pair: len(pair[1]))
    return delimiter, [name.strip() for name in names]


def _first_record(upload: Upload, delimiter: str) -> list[str]:
    with upload.path.open(encoding="utf-8", newline="") as file:
        try:
            return next((record for record in csv.reader(file, delimiter=delimiter) if record), [])
        except csv.Error as error:
            raise BadUpload(f"{upload.name}: the header in line 1 cannot be read as CSV: {error}") from None


def tidy_csv(upload: Upload, delimiter: str, num_columns: int, target: Path) -> None:
    """Copy a CSV file that DuckDB's strict reader refuses: one kind of line break, every row as wide as the header.

    A row of another width becomes empty fields and, in one more column, its fields as a JSON list.
    Raises BadUpload where quotes are not closed or not doubled, and for a file that ends inside a row.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    with (
        upload.path.open(encoding="utf-8", newline="") as source,
        target.open("w", encoding="utf-8", newline="") as copy,
    ):
        reader = csv.reader(source, delimiter=delimiter, strict=True)
        writer = csv.writer(copy, lineterminator="\n", delimiter=delimiter)
        row, line, width = -1, 1, num_columns  # the header is row 0
        try:
            for fields in reader:
                line = reader.line_num + 1
                if fields:
                    row, width = row + 1, len(fields)
                    whole = width == num_columns
                    writer.writerow(
                        [*fields, ""] if whole else [""] * num_columns + [json.dumps(fields, ensure_ascii=False)]
                    )
        except csv.Error as error:
            raise BadUpload(_bad_quotes(upload, row + 1, line, str(error))) from None
    if width < num_columns and not upload.ends_with_line_break:
        raise BadUpload(
            f"{upload.name}: the file ends at byte {upload.num_bytes} inside row {row}, after {width} of {num_columns} "
            f"fields: {_CUT_OFF}"
        )


def _bad_quotes(upload: Upload, row: int, line: int, problem: str) -> str:
    where = f"{upload.name}: row {row}, which starts in line {line}"
    if "unexpected end" in problem:
        return (
            f"{where}, opens a quote that is still open where the file ends, at byte {upload.num_bytes}: "
            'the file was cut off, or a closing " is missing'
        )
    return f'{where}, cannot be read as CSV ({problem}): expected quoted fields to end with ", quotes inside doubled'


# JSON lines


def jsonl_names(upload: Upload, num_lines: int = 100) -> list[str]:
    """The keys of the first objects, in order of appearance."""
    names: dict[str, None] = {}
    with upload.path.open("rb") as file:
        for line in file:
            if num_lines == 0:
                break
            if line.strip():
                num_lines -= 1
                value = _parsed(line)
                names.update(dict.fromkeys(value if isinstance(value, dict) else ()))
    return list(names)


def bad_json_line(upload: Upload, problem: str) -> BadUpload:
    """Name the first line that is no JSON; `problem` is the reader's own word, for when every line looks fine here."""
    start = 0
    with upload.path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and isinstance(value := _parsed(line), Exception):
                return BadUpload(_not_json(upload, number, start, line, value))
            start += len(line)
    return BadUpload(
        f"{upload.name}: cannot be read as JSON lines: {problem}; lines may have up to {MAX_LINE_BYTES} bytes"
    )


def _parsed(line: bytes) -> object:
    """The value, or the exception that says why there is none."""
    try:
        value = json.loads(line)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair parses, but is no text
    except (ValueError, RecursionError) as error:
        return error
    return value


def _not_json(upload: Upload, number: int, start: int, line: bytes, problem: Exception) -> str:
    where = f"{upload.name}: line {number} (bytes {start} to {start + len(line)}) is not a JSON object"
    if not line.endswith(b"\n"):
        return f"{where}: the file ends inside it, at byte {upload.num_bytes}: {_CUT_OFF}"
    return f'{where}: {problem}; expected one object per line, such as {{"text": …, "label": …}}'
