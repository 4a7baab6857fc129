import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ratchet.core.refs import FileRef, digest_file, digest_folder, list_folder, listing_json


def test_a_file_is_named_by_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    content = b"x" * (3 << 20) + b"tail"  # longer than one chunk
    (tmp_path / "file").write_bytes(content)

    assert digest_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_an_empty_file_has_a_digest_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert digest_file(tmp_path / "file") == hashlib.sha256(b"").hexdigest()


def _write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_two_folders_with_the_same_files_have_the_same_digest_wherever_they_are(tmp_path: Path) -> None:
    files = {"b.txt": b"2", "a/deep/c.txt": b"3", "a.txt": b"1"}
    one = _write(tmp_path / "one", files)
    two = _write(tmp_path / "two", dict(reversed(files.items())))

    assert digest_folder(one) == digest_folder(two)


@pytest.mark.parametrize(
    "changed",
    [
        {"a.txt": b"1", "b.txt": b"changed"},
        {"a.txt": b"1", "c.txt": b"2"},
        {"a.txt": b"1"},
        {"a.txt": b"1", "b.txt": b"2", "c.txt": b""},
        {"a.txt": b"2", "b.txt": b"1"},
    ],
    ids=["content", "name", "one less", "an empty one more", "contents swapped"],
)
def test_a_folder_that_differs_in_one_thing_has_another_digest(tmp_path: Path, changed: dict[str, bytes]) -> None:
    one = _write(tmp_path / "one", {"a.txt": b"1", "b.txt": b"2"})
    two = _write(tmp_path / "two", changed)

    assert digest_folder(one) != digest_folder(two)


def test_a_folder_is_listed_in_one_order_by_posix_paths(tmp_path: Path) -> None:
    _write(tmp_path, {"b": b"", "a/z": b"", "a.txt": b""})

    assert [name for name, _ in list_folder(tmp_path)] == ["a.txt", "a/z", "b"]


@given(st.lists(st.tuples(st.text(), st.text()), unique=True), st.randoms())
def test_a_listing_does_not_depend_on_the_order_of_its_entries(entries: list[tuple[str, str]], random: object) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert listing_json(shuffled) == listing_json(entries)


@pytest.mark.parametrize("sha256", ["", "A" * 64, "f" * 63, "f" * 65, "g" * 64])
def test_a_ref_takes_only_a_whole_lower_case_sha256(sha256: str) -> None:
    with pytest.raises(ValidationError):
        FileRef(uri="store://x", sha256=sha256, bytes=0)
