"""Compressed uploads, unpacked as a stream: memory stays flat however much comes out."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ratchet.validate.bad_upload import CUT_OFF, BadUpload
from ratchet.validate.formats import Packing

# Small enough to stay in the processor's cache, and to be allocated without asking the kernel for pages each time.
_CHUNK_BYTES = 128 << 10
# What goes into the zstd decoder at once: no byte of it becomes more than about 32 KiB (a block of one repeated byte).
_ZSTD_INPUT_BYTES = 2 << 10


def chunks(path: Path, name: str, packing: Packing | None) -> Iterator[bytes]:
    """The content, unpacked, never empty pieces. Raises BadUpload where the packing is torn or cut off."""
    with path.open("rb") as file:
        if packing is None:
            yield from iter(lambda: file.read(_CHUNK_BYTES), b"")
        elif packing == "gzip":
            yield from _gunzipped(file, name)
        else:
            yield from _unzstd(file, name)


def _gunzipped(file: BinaryIO, name: str) -> Iterator[bytes]:
    num_bytes = 0
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            while chunk := unpacked.read(_CHUNK_BYTES):
                num_bytes += len(chunk)
                yield chunk
    except EOFError:
        raise BadUpload(_cut(name, "gzip", file.tell(), num_bytes)) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BadUpload(_torn(name, "gzip", file.tell(), num_bytes, error)) from None


def _unzstd(file: BinaryIO, name: str) -> Iterator[bytes]:
    import zstandard

    reader = zstandard.ZstdDecompressor()
    frame, num_bytes = reader.decompressobj(), 0
    waiting: list[bytes] = []
    try:
        for packed in iter(lambda: file.read(_ZSTD_INPUT_BYTES), b""):
            left = packed
            while left:
                if frame.eof:
                    frame = reader.decompressobj()
                waiting.append(frame.decompress(left))
                num_bytes += len(waiting[-1])
                left = frame.unused_data if frame.eof else b""
            if sum(map(len, waiting)) >= _CHUNK_BYTES:
                yield b"".join(waiting)
                waiting = []
    except zstandard.ZstdError as error:
        raise BadUpload(_torn(name, "zstd", file.tell(), num_bytes, error)) from None
    if any(waiting):
        yield b"".join(waiting)
    if not frame.eof:
        raise BadUpload(_cut(name, "zstd", file.tell(), num_bytes))


def _cut(name: str, packing: Packing, at: int, num_bytes: int) -> str:
    return f"{name}: the {packing} stream ends at byte {at} before its end mark, {num_bytes} bytes unpacked: {CUT_OFF}"


def _torn(name: str, packing: Packing, at: int, num_bytes: int, error: Exception) -> str:
    return (
        f"{name}: the {packing} stream cannot be unpacked near byte {at}, {num_bytes} bytes into its content "
        f"({error}): it was changed on its way; compress and send the file again"
    )
