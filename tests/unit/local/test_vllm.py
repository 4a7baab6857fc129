import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.clients.bucket import LocalBucket
from ratchet.clients.memory import MIB, MemoryBusy, NotEnoughMemory, Room
from ratchet.clients.settings import EdgeSettings, Settings
from ratchet.clients.store import DigestMismatch, Store
from ratchet.core.refs import FolderRef, digest_folder
from ratchet.local import vllm
from ratchet.serving.capture import CAPTURE_VARIABLE


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(LocalBucket(tmp_path / "store"), tmp_path / "scratch")


@pytest.fixture
def model(tmp_path: Path, store: Store) -> FolderRef:
    source = tmp_path / "model"
    source.mkdir()
    (source / "weights").write_text("0123456789")
    return store.put_folder(source)


def test_the_model_comes_from_the_store_whole(tmp_path: Path, store: Store, model: FolderRef) -> None:
    folder = vllm.verified_folder(store, tmp_path / "serving", model)

    assert digest_folder(folder) == model.sha256 == folder.name


def _changed(folder: Path) -> None:
    (folder / "weights").unlink()
    (folder / "weights").write_text("9876543210")


def _added(folder: Path) -> None:
    (folder / "modeling.py").write_text("import os")


def _deleted(folder: Path) -> None:
    (folder / "weights").unlink()


@pytest.mark.parametrize("tamper", [_changed, _added, _deleted])
def test_changed_bytes_are_never_served(
    tmp_path: Path, store: Store, model: FolderRef, tamper: Callable[[Path], None]
) -> None:
    tamper(vllm.verified_folder(store, tmp_path / "serving", model))

    folder = vllm.verified_folder(store, tmp_path / "serving", model)

    assert digest_folder(folder) == model.sha256


def test_bytes_that_changed_in_the_store_too_are_refused(tmp_path: Path, store: Store, model: FolderRef) -> None:
    blobs = [path for path in (tmp_path / "store" / "blobs").rglob("*") if path.is_file()]
    blob = min(blobs, key=lambda path: path.stat().st_size)  # the other one is the folder's listing
    blob.chmod(0o644)
    blob.write_text("9876543210")

    with pytest.raises(DigestMismatch):
        vllm.verified_folder(store, tmp_path / "serving", model)

    assert not (tmp_path / "serving" / "models" / model.sha256).exists()


@pytest.mark.parametrize("arguments", [[], ["purple"], ["blue", "green"]])
def test_a_wrong_colour_ends_as_terminal(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        vllm.main(arguments)

    assert ended.value.code == 65


def test_a_colour_without_a_purpose_ends_as_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ratchet.toml").touch()
    monkeypatch.setenv("RATCHET_CONFIG", str(tmp_path / "ratchet.toml"))

    with pytest.raises(SystemExit) as ended:
        vllm.main(["blue"])

    assert ended.value.code == 65


def test_answers_are_kept_only_where_the_settings_say_so(tmp_path: Path) -> None:
    assert vllm.capture(Settings(root=tmp_path)) == {}

    told = vllm.capture(Settings(root=tmp_path, edge=EdgeSettings(capture_share=0.5, capture_days=3)))

    wish = {"folder": str(tmp_path / ".ratchet" / "capture"), "share": 0.5, "days": 3}
    assert json.loads(told[CAPTURE_VARIABLE]) == wish


def test_an_engine_that_starts_deletes_what_was_kept_long_enough_even_if_it_keeps_no_more(tmp_path: Path) -> None:
    old = tmp_path / ".ratchet" / "capture" / "2026-01-05-blue.jsonl"
    old.parent.mkdir(parents=True)
    old.touch()

    vllm.capture(Settings(root=tmp_path))

    assert not old.exists()


@pytest.mark.parametrize(
    ("room", "error"),
    [
        (Room(free=1883 * MIB, total=9999 * MIB), MemoryBusy),
        (Room(free=1883 * MIB, total=1883 * MIB), NotEnoughMemory),
    ],
)
def test_an_engine_that_does_not_fit_is_not_started_and_says_needed_and_available(
    room: Room, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"green needs at least 1,884 MiB .*weights 10 MiB.* 1,883 MiB of [\d,]+ MiB"):
        vllm.check_memory("green", 10 * MIB, room)


def test_an_engine_that_just_fits_is_started() -> None:
    vllm.check_memory("green", 10 * MIB, Room(free=2274 * MIB, total=2274 * MIB))


def test_what_an_earlier_process_of_the_colour_left_is_gone(tmp_path: Path) -> None:
    left = tmp_path / "sockets" / "green"
    for _ in range(2):
        assert list(vllm.empty_folder(left).iterdir()) == []
        (left / "a socket").touch()
