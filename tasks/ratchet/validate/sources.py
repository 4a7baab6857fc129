"""An upload as SQL: a relation, and where in it the fields are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ratchet.validate.columns import Columns
from ratchet.validate.upload import MAX_LINE_BYTES


@dataclass(frozen=True)
class Source:
    """SQL expressions over `relation`.

    `malformed` is NULL for a row of the right shape; `fields` is the row as JSON, as it stood in the file.
    """

    relation: str
    text: str
    label: str
    quality: str
    malformed: str
    fields: str


def csv_source(path: Path, delimiter: str, names: Sequence[str], columns: Columns, tidied: bool) -> Source:
    """`tidied`: upload.tidy_csv wrote the file, with one more column for rows of another width."""
    fields = [f"c{index}" for index in range(len(names))]
    types = ", ".join(f"{field}: 'VARCHAR'" for field in [*fields, *(["odd"] if tidied else [])])
    whole = "json_object({})".format(", ".join(f"{quoted(n)}, {f}" for n, f in zip(names, fields, strict=True)))
    # strict, nothing guessed: a row that DuckDB would have to mend goes to the slow reader, which says what it did
    options = (
        f"header = true, auto_detect = false, strict_mode = true, delim = {quoted(delimiter)}, "
        f"quote = '\"', escape = '\"', max_line_size = {MAX_LINE_BYTES}"
    )
    return Source(
        relation=f"read_csv({quoted(str(path))}, columns = {{{types}}}, {options})",
        text=fields[names.index(columns.text)],
        label=fields[names.index(columns.label)],
        quality=fields[names.index(columns.quality)] if columns.quality else "NULL",
        malformed="odd" if tidied else "NULL",
        fields=f"CASE WHEN malformed IS NULL THEN {whole} ELSE json(malformed) END",
    )


def jsonl_source(path: Path, columns: Columns) -> Source:
    """A text that is no string, and a label that is an object or a list, count as missing."""
    return Source(
        relation=f"read_ndjson_objects({quoted(str(path))}, maximum_object_size = {MAX_LINE_BYTES})",
        text=_scalar(columns.text, ["VARCHAR"]),
        label=_scalar(columns.label, ["VARCHAR", "BIGINT", "UBIGINT", "DOUBLE", "BOOLEAN"]),
        quality=f"json_extract_string(json, {_pointer(columns.quality)})" if columns.quality else "NULL",
        malformed="CASE WHEN json_type(json) <> 'OBJECT' THEN 'not an object' END",
        fields="json",
    )


def quoted(text: str) -> str:
    """A SQL string literal."""
    return "'{}'".format(text.replace("'", "''"))


def _scalar(key: str, types: Sequence[str]) -> str:
    allowed = ", ".join(map(quoted, types))
    return (
        f"CASE WHEN json_type(json, {_pointer(key)}) IN ({allowed}) THEN json_extract_string(json, {_pointer(key)}) END"
    )


def _pointer(key: str) -> str:
    """A JSON pointer (RFC 6901), since a key may hold dots, quotes and brackets."""
    return quoted("/" + key.replace("~", "~0").replace("/", "~1"))
