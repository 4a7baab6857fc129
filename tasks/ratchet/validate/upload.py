"""What can be wrong with the bytes of an upload before any row can be judged; every refusal says where."""

import codecs
import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ratchet.core.refs import CHUNK_BYTES
from ratchet.validate.bad_upload import CUT_OFF, BadUpload
from ratchet.validate.formats import (
    PARQUET_MARK,
    Format,
    Kind,
    format_of,
    refuse_other_content,
    refuse_other_packing,
)
from ratchet.validate.packing import chunks
from ratchet.validate.signs import ascii_signs_in, wide_signs_in

MAX_LINE_BYTES = 64 << 20

# Small, so that most pieces of a text in a language of few accents have none.
_PIECE_BYTES = 4 << 10
_TOO_LARGE = "send it in parts, or raise max_upload_bytes in the recipe's rules"


@dataclass(frozen=True)
class Upload:
    """A readable upload: Parquet with a footer, or UTF-8 without byte order mark or NUL, not empty.

    `num_bytes` is the size of `path`: of what was unpacked. `signs` are those (validate/signs.py) that its values
    may hold; None where the bytes do not tell.
    """

    path: Path
    name: str
    kind: Kind
    num_bytes: int
    ends_with_line_break: bool
    signs: frozenset[str] | None


def open_upload(path: Path, name: str, max_bytes: int) -> Upload:
    """Read all bytes once. Raises BadUpload with the byte offset and line of what is wrong.

    A compressed file is unpacked beside `path`, and no further than it is found good, nor beyond `max_bytes`.
    """
    form = format_of(name)
    with path.open("rb") as file:
        head = file.read(CHUNK_BYTES)
    if form.packing and head:
        refuse_other_packing(head, name, form.packing)
    if path.stat().st_size > max_bytes:
        raise BadUpload(f"{name}: {path.stat().st_size} bytes, but an upload has up to {max_bytes}: {_TOO_LARGE}")
    return _open_parquet(path, name, form, head) if form.kind == "parquet" else _open_text(path, name, form, max_bytes)


def _open_parquet(path: Path, name: str, form: Format, head: bytes) -> Upload:
    num_bytes = path.stat().st_size
    if not num_bytes:
        raise BadUpload(f"{name}: the file is empty (0 bytes): expected Parquet")
    refuse_other_content(head, name, form)
    with path.open("rb") as file:
        file.seek(-min(num_bytes, len(PARQUET_MARK)), 2)
        tail = file.read()
    if tail != PARQUET_MARK or num_bytes < 3 * len(PARQUET_MARK):
        raise BadUpload(
            f"{name}: the file ends at byte {num_bytes} with {tail!r} instead of {PARQUET_MARK!r}: {CUT_OFF}"
        )
    return Upload(path, name, "parquet", num_bytes, ends_with_line_break=True, signs=None)


def _open_text(path: Path, name: str, form: Format, max_bytes: int) -> Upload:
    read = partial(chunks, path, name, form.packing)
    text, content = _Text(name, form.kind, max_bytes, read), read()
    first = next(content, b"")
    refuse_other_content(first, name, form)
    has_mark = first.startswith(codecs.BOM_UTF8)
    copied = path.with_name(f"{path.name}.text") if form.packing or has_mark else None
    with copied.open("wb") if copied else contextlib.nullcontext() as copy:
        for number, chunk in enumerate(itertools.chain([first], content)):
            text.take(chunk)
            if copy:
                copy.write(chunk[len(codecs.BOM_UTF8) :] if has_mark and number == 0 else chunk)
    text.end()
    signs = frozenset(text.signs) if form.kind == "csv" else None  # JSON may write them as escapes
    return Upload(copied or path, name, form.kind, text.offset - 3 * has_mark, text.last in b"\r\n", signs)


class _Text:
    """Looks at the bytes of a text file as they come. `offset` counts them, `last` is the newest.

    `read` gives them once more, for the number of a line: to count the lines of every file costs more than to look.
    """

    def __init__(self, name: str, kind: Kind, max_bytes: int, read: Callable[[], Iterator[bytes]]) -> None:
        self.offset, self.last = 0, b""
        self.signs: set[str] = set()
        self._name, self._max_bytes, self._read = name, max_bytes, read
        self._line_breaks = (b"\n", b"\r") if kind == "csv" else (b"\n",)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._line_start, self._blank = 0, True

    def take(self, chunk: bytes) -> None:
        """Raises BadUpload at the first byte that is wrong."""
        self.signs |= ascii_signs_in(chunk) | wide_signs_in(self._wide(chunk))
        if (nul := chunk.find(b"\0")) >= 0:
            raise BadUpload(
                f"{self._name}: a NUL byte at byte {self.offset + nul} (line {self._line_of(self.offset + nul)}): "
                "expected text; export the file again as UTF-8, or remove the byte"
            )
        self._follow_lines(chunk)
        self._blank = self._blank and not chunk.removeprefix(codecs.BOM_UTF8).strip()
        self.offset, self.last = self.offset + len(chunk), chunk[-1:] or self.last
        if self.offset > self._max_bytes:
            raise BadUpload(f"{self._name}: more than {self._max_bytes} bytes, once unpacked: {_TOO_LARGE}")

    def end(self) -> None:
        """Raises BadUpload for a file that ends inside a character, or has nothing in it."""
        self._decode(b"", self.offset, final=True)
        if self._blank:
            raise BadUpload(
                f"{self._name}: the file is empty ({self.offset} bytes): expected a header and rows, or JSON lines"
            )

    def _wide(self, chunk: bytes) -> str:
        """The pieces that are not ASCII: to decode the others as well takes longer than to find out that they are."""
        wide = []
        for start in range(0, len(chunk), _PIECE_BYTES):
            piece = chunk[start : start + _PIECE_BYTES]
            if not piece.isascii() or self._decoder.getstate()[0]:
                wide.append(self._decode(piece, self.offset + start))
        return "".join(wide)

    def _decode(self, piece: bytes, offset: int, final: bool = False) -> str:
        pending = self._decoder.getstate()[0]
        try:
            return self._decoder.decode(piece, final=final)
        except UnicodeDecodeError as error:
            at = offset - len(pending) + error.start
            line = self._line_of(at)
            raise BadUpload(
                f"{self._name}: the file ends at byte {at} (line {line}) inside a character: {CUT_OFF}"
                if final
                else f"{self._name}: not UTF-8 at byte {at} (line {line}): expected UTF-8; save the file as UTF-8 and "
                "submit it again"
            ) from None

    def _line_of(self, at: int) -> int:
        line = 1
        for chunk in self._read():
            line += chunk.count(b"\n", 0, at)
            at -= len(chunk)
            if at <= 0:
                break
        return line

    def _follow_lines(self, chunk: bytes) -> None:
        ends = [at for mark in self._line_breaks if (at := chunk.find(mark)) >= 0]
        longest = self.offset + min(ends, default=len(chunk)) - self._line_start
        if longest > MAX_LINE_BYTES:
            line = self._line_of(self._line_start)
            raise BadUpload(
                f"{self._name}: line {line}, which starts at byte {self._line_start}, is longer than {MAX_LINE_BYTES} "
                "bytes: expected one row a line; is a line break or a closing quote missing?"
            )
        if ends:
            self._line_start = self.offset + max(map(chunk.rfind, self._line_breaks)) + 1
