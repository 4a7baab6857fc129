"""The same rows as files of every kind."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import zstandard
from tests.steps.validate.conftest import as_csv, as_jsonl


def as_parquet(folder: Path, query: str, options: str = "") -> bytes:
    """What DuckDB writes for a query."""
    path = folder / "made.parquet"
    duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet {options})")
    return path.read_bytes()


def parquet_of(folder: Path, rows: Sequence[dict[str, Any]], types: str) -> bytes:
    """`types` as in {text: 'VARCHAR', …}."""
    source = folder / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return as_parquet(folder, f"SELECT * FROM read_json('{source}', format = 'newline_delimited', columns = {types})")


def every_kind(folder: Path, rows: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    """By file name: every kind of file that can be sent, with the same rows."""
    dicts = [{"text": text, "label": label} for text, label in rows]
    plain = {
        "up.csv": as_csv(rows),
        "up.tsv": as_csv(rows).replace(b",", b"\t"),
        "up.jsonl": as_jsonl(dicts),
        "up.ndjson": as_jsonl(dicts),
    }
    return {
        **plain,
        **{f"{name}.gz": gzip.compress(content, 1, mtime=0) for name, content in plain.items()},
        **{f"{name}.zst": zstandard.compress(content) for name, content in plain.items()},
        "up.parquet": parquet_of(folder, dicts, "{text: 'VARCHAR', label: 'VARCHAR'}"),
    }
