"""Names for bytes: a file by its sha256, a folder by the sha256 of its listing."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import NonNegativeInt

from ratchet.core.contract import Contract, Sha256, canonical_json

CHUNK_BYTES = 1 << 20


class FileRef(Contract):
    """One file in the store."""

    uri: str
    sha256: Sha256
    bytes: NonNegativeInt


class FolderRef(Contract):
    """One folder in the store. `sha256` is the digest of its listing, `bytes` the sum over its files."""

    uri: str
    sha256: Sha256
    bytes: NonNegativeInt


def blob_key(sha256: str) -> str:
    """Where the store keeps the bytes of this digest."""
    return f"blobs/{sha256[:2]}/{sha256}"


def blob_uri(sha256: str) -> str:
    """The same name in every store: which store it is, the settings say."""
    return f"store://{blob_key(sha256)}"


def digest_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def list_folder(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below `folder` as (relative POSIX path, path), sorted by the relative path."""
    files = ((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    yield from sorted(files)


def listing_json(entries: list[tuple[str, str]]) -> bytes:
    """The bytes whose sha256 names a folder: its sorted (path, sha256) pairs."""
    return canonical_json(sorted(entries))


def digest_folder(folder: Path) -> str:
    entries = [(name, digest_file(path)) for name, path in list_folder(folder)]
    return hashlib.sha256(listing_json(entries)).hexdigest()
