"""Parquet: which columns there are, whether they can be text, and that reading it ends.

Its footer may say anything, and a few bytes can stand for a billion rows: both are looked at before any row is judged.
"""

from collections.abc import Mapping
from typing import Any

import duckdb

from ratchet.validate.bad_upload import BadUpload
from ratchet.validate.columns import Columns
from ratchet.validate.sql import name, quoted
from ratchet.validate.upload import Upload

# A row that could be trained on is longer.
_LEAST_ROW_BYTES = 8
_TEXT = ("VARCHAR", "ENUM")
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
            "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN")  # fmt: skip


def relation(upload: Upload) -> str:
    return f"read_parquet({quoted(str(upload.path))})"


def types_of(db: Any, upload: Upload) -> dict[str, str]:
    """DuckDB's types by column name. Raises BadUpload for a footer that cannot be read."""
    describe = f"DESCRIBE SELECT * FROM {relation(upload)}"  # noqa: S608
    try:
        return {row[0]: row[1] for row in db.execute(describe).fetchall()}
    except duckdb.Error as error:
        raise bad_parquet(upload, error) from None


def refuse_wrong_types(types: Mapping[str, str], columns: Columns, file_name: str) -> None:
    """Raises BadUpload where a column cannot hold what it is taken for."""
    if columns.chat:
        _refuse(types, columns.text, ("STRUCT",), "a list of {role, content}", file_name)
    elif columns.may_be_turns and types[columns.text].endswith("]"):
        _refuse(types, columns.text, ("STRUCT",), "a list of {role, content}", file_name)
        _refuse(types, columns.label, ("STRUCT",), "a list of {role, content}", file_name)
    else:
        _refuse(types, columns.text, _TEXT, "strings", file_name)
        _refuse(types, columns.label, _TEXT + _NUMBERS, "strings or numbers", file_name)
    if columns.quality:
        _refuse(types, columns.quality, _TEXT + _NUMBERS, "numbers", file_name)


def _refuse(types: Mapping[str, str], column: str, allowed: tuple[str, ...], expected: str, file_name: str) -> None:
    kind, is_list = types[column], types[column].endswith("]")
    if not (kind.startswith(allowed) and is_list == (allowed == ("STRUCT",))):
        raise BadUpload(
            f"{file_name}: column {column!r} is {kind[:200]}, expected {expected}: convert the column, or name "
            "another one with --text-column or --label-column"
        )


def refuse_a_bomb(db: Any, upload: Upload, types: Mapping[str, str], max_bytes: int) -> None:
    """Read all values once, keeping none. Raises BadUpload for a file that claims or holds more than `max_bytes`."""
    sizes = " + ".join(f"coalesce(sum({_size(column, kind)}), 0)::HUGEINT" for column, kind in types.items())
    try:
        footer = f"parquet_file_metadata({quoted(str(upload.path))})"
        claimed = int(db.execute(f"SELECT sum(num_rows) FROM {footer}").fetchone()[0])  # noqa: S608
        if not 0 <= claimed <= max_bytes // _LEAST_ROW_BYTES:
            raise BadUpload(
                f"{upload.name}: the footer claims {claimed} rows, but an upload of {max_bytes} bytes "
                f"(max_upload_bytes) has at most {max_bytes // _LEAST_ROW_BYTES}: write it again, or send it in parts"
            )
        found, num_bytes = db.execute(f"SELECT count(*), {sizes} FROM {relation(upload)}").fetchone()  # noqa: S608
    except duckdb.Error as error:
        raise bad_parquet(upload, error) from None
    if found != claimed:
        raise BadUpload(f"{upload.name}: the footer claims {claimed} rows, the file has {found}: write the file again")
    if num_bytes > max_bytes:
        raise BadUpload(
            f"{upload.name}: {num_bytes} bytes once unpacked, but an upload has up to {max_bytes}: send it in parts, "
            "or raise max_upload_bytes in the recipe's rules"
        )


def _size(column: str, kind: str) -> str:
    """SQL for about how many bytes a value has."""
    field = name(column)
    if kind in {"VARCHAR", "BLOB"}:
        return f"octet_length(CAST({field} AS BLOB))" if kind == "BLOB" else f"strlen({field})"
    nested = kind.endswith(("]", ")")) and not kind.startswith(("DECIMAL", "ENUM"))
    return f"strlen(CAST(to_json({field}) AS VARCHAR))" if nested else f"CASE WHEN {field} IS NULL THEN 0 ELSE 8 END"


def bad_parquet(upload: Upload, error: Exception) -> BadUpload:
    words = str(error).splitlines()[0].replace(str(upload.path), upload.name)[:300]
    return BadUpload(
        f"{upload.name}: cannot be read as Parquet ({upload.num_bytes} bytes): {words}; it was changed on its way or "
        "written by a broken writer: write it again, and look whether another tool can read it"
    )
