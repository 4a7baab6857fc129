"""What an upload is: its name says so, its first bytes have to agree."""

import codecs
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from ratchet.validate.bad_upload import BadUpload

Kind = Literal["csv", "jsonl", "parquet"]
Packing = Literal["gzip", "zstd"]

PARQUET_MARK = b"PAR1"
_KINDS: dict[str, Kind] = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
}  # fmt: skip
_PACKINGS: dict[str, Packing] = {".gz": "gzip", ".zst": "zstd"}
_PACKING_MARKS: dict[Packing, bytes] = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_UNPACK = "unpack it and submit the file inside"
# First bytes of what people send instead: what it is, what to do. https://en.wikipedia.org/wiki/List_of_file_signatures
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (_PACKING_MARKS["gzip"], "gzip-compressed", "give it a name that ends in .gz, such as data.csv.gz"),
    (_PACKING_MARKS["zstd"], "zstd-compressed", "give it a name that ends in .zst, such as data.csv.zst"),
    (PARQUET_MARK, "Parquet", "give it a name that ends in .parquet"),
    (b"PARE", "encrypted Parquet", "write it without encryption"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook (.xlsx)", "save the sheet as CSV UTF-8, or unpack the archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "save the sheet as CSV UTF-8"),
    (b"BZh", "bzip2-compressed", "compress it with gzip or zstd instead, or not at all"),
    (b"\xfd7zXZ\x00", "xz-compressed", "compress it with gzip or zstd instead, or not at all"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a rar archive", _UNPACK),
    (b"%PDF", "a PDF", "submit the data as CSV, JSON lines or Parquet"),
    (b"SQLite format 3\x00", "an SQLite database", "export the table as CSV"),
    (b"ARROW1", "an Arrow file", "write it as Parquet"),
    (b"Obj\x01", "an Avro file", "write it as Parquet or JSON lines"),
    (b"ORC", "an ORC file", "write it as Parquet"),
    (codecs.BOM_UTF32_LE, "text in UTF-32", "save it as UTF-8"),
    (codecs.BOM_UTF16_LE, "text in UTF-16", "save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "text in UTF-16", "save it as UTF-8"),
)
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257


@dataclass(frozen=True)
class Format:
    kind: Kind
    packing: Packing | None


def format_of(name: str) -> Format:
    """Raises BadUpload for a name that says nothing, or too much."""
    path = PurePath(name.lower())
    packing = _PACKINGS.get(path.suffix)
    kind = _KINDS.get(PurePath(path.stem).suffix if packing else path.suffix)
    if kind is None:
        raise BadUpload(
            f"{name}: unknown kind of file: expected a name that ends in {', '.join(_KINDS)}, "
            f"each but the last also followed by {' or '.join(_PACKINGS)}"
        )
    if kind == "parquet" and packing:
        raise BadUpload(f"{name}: Parquet is compressed inside already: unpack it and submit the .parquet file")
    return Format(kind, packing)


def refuse_other_packing(head: bytes, name: str, packing: Packing) -> None:
    """`head`: the first bytes of a file whose name says how it is packed. Raises BadUpload where they say otherwise."""
    if not head.startswith(_PACKING_MARKS[packing][: len(head)]):
        found = _other(head)
        raise BadUpload(
            f"{name}: the name says {packing}, but the file is {found[0] if found else 'not compressed so'} "
            f"(it starts with {_shown(head)}): give it the name of what it is"
        )


def refuse_other_content(head: bytes, name: str, form: Format) -> None:
    """`head`: the first bytes, unpacked. Raises BadUpload where they are not of the kind that the name says."""
    if form.kind == "parquet":
        if not head.startswith(PARQUET_MARK[: len(head)]):
            raise BadUpload(
                f"{name}: not a Parquet file: it starts with {_shown(head)} at byte 0, expected {PARQUET_MARK!r}; "
                "submit Parquet, or give the file the name of what it is"
            )
    elif found := _other(head) or _other_text(head, form.kind):
        where = "the file inside is" if form.packing else "the file is"
        raise BadUpload(f"{name}: {where} {found[0]} (it starts with {_shown(head)}): {found[1]}, and submit it again")


def _other(head: bytes) -> tuple[str, str] | None:
    if head[_TAR_MARK_AT : _TAR_MARK_AT + len(_TAR_MARK)] == _TAR_MARK:
        return "a tar archive", _UNPACK
    return next(((what, remedy) for mark, what, remedy in _OTHERS if head.startswith(mark)), None)


def _other_text(head: bytes, kind: Kind) -> tuple[str, str] | None:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:20].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page", "look whether it is a sign-in or error page instead of the data; download the data itself"
    if kind == "csv" and start.startswith((b'{"', b"[{")):
        return "JSON", "write one object per line and give it a name that ends in .jsonl"
    if kind == "jsonl" and start.startswith((b"[{", b"[\n", b"[\r\n")):
        return "one JSON list", "write one object per line"
    return None


def _shown(head: bytes) -> str:
    return repr(head[:16])
