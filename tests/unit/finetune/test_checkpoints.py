import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ratchet.core.log import log
from ratchet.finetune.checkpoints import MANIFEST, Checkpoint, Checkpoints

FILES = ("adapter_config.json", "adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt")


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints")


@pytest.fixture
def ignored() -> Iterator[list[logging.LogRecord]]:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    log.addHandler(handler)
    yield records
    log.removeHandler(handler)


def write(checkpoints: Checkpoints, step: int, num_files: int = len(FILES)) -> Path:
    """What the trainer does before the checkpoint is sealed."""
    folder = checkpoints.folder / f"checkpoint-{step}"
    folder.mkdir()
    for name in FILES[:num_files]:
        (folder / name).write_text(f"{name} of step {step}")
    return folder


def seal(checkpoints: Checkpoints, *steps: int) -> None:
    for step in steps:
        write(checkpoints, step)
        checkpoints.seal(step)


def steps_left(checkpoints: Checkpoints) -> list[str]:
    return sorted(path.name for path in checkpoints.folder.iterdir())


def test_without_checkpoints_there_is_nothing_to_resume(checkpoints: Checkpoints) -> None:
    assert checkpoints.newest() is None


def test_the_newest_step_is_resumed_by_number_not_by_name(checkpoints: Checkpoints) -> None:
    seal(checkpoints, 5, 10)

    assert checkpoints.newest() == Checkpoint(10, checkpoints.folder / "checkpoint-10")


def test_the_newest_two_are_kept(checkpoints: Checkpoints) -> None:
    seal(checkpoints, 5, 10, 15, 20)

    assert steps_left(checkpoints) == ["checkpoint-15", "checkpoint-20"]


@pytest.mark.parametrize("num_files", range(len(FILES) + 1))
def test_a_checkpoint_cut_short_at_any_file_is_ignored_and_kept_aside(
    checkpoints: Checkpoints, ignored: list[logging.LogRecord], num_files: int
) -> None:
    seal(checkpoints, 5)
    write(checkpoints, 10, num_files)

    found = checkpoints.newest()

    assert found is not None
    assert found.step == 5
    assert len(list((checkpoints.folder / "aside" / "checkpoint-10.0").iterdir())) == num_files
    assert [record.getMessage() for record in ignored] == ["checkpoint ignored"]
    assert ignored[0].__dict__["reason"].startswith(f"no {MANIFEST}")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["gone", "empty", "one bit"])
def test_a_sealed_checkpoint_with_other_bytes_is_ignored(
    checkpoints: Checkpoints, ignored: list[logging.LogRecord], name: str, damage: str
) -> None:
    seal(checkpoints, 5, 10)
    file = checkpoints.folder / "checkpoint-10" / name
    content = file.read_bytes()
    file.unlink() if damage == "gone" else file.write_bytes(
        b"" if damage == "empty" else bytes([content[0] ^ 1]) + content[1:]
    )

    found = checkpoints.newest()

    assert found is not None
    assert found.step == 5
    assert name in ignored[0].__dict__["reason"]


@pytest.mark.parametrize("num_bytes", [0, 1, 40])
def test_a_torn_manifest_is_none(checkpoints: Checkpoints, num_bytes: int) -> None:
    seal(checkpoints, 5, 10)
    manifest = checkpoints.folder / "checkpoint-10" / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:num_bytes])

    found = checkpoints.newest()

    assert found is not None
    assert found.step == 5


def test_a_manifest_of_another_step_is_none(checkpoints: Checkpoints) -> None:
    seal(checkpoints, 5)
    shutil.copytree(checkpoints.folder / "checkpoint-5", checkpoints.folder / "checkpoint-6")

    found = checkpoints.newest()

    assert found is not None
    assert found.step == 5


def test_what_is_kept_aside_is_never_overwritten(checkpoints: Checkpoints) -> None:
    for _ in range(3):
        write(checkpoints, 10)
        assert checkpoints.newest() is None

    names = sorted(path.name for path in (checkpoints.folder / "aside").iterdir())
    assert names == ["checkpoint-10.0", "checkpoint-10.1", "checkpoint-10.2"]


def test_a_removal_that_was_cut_short_is_finished(checkpoints: Checkpoints) -> None:
    seal(checkpoints, 5)
    write(checkpoints, 1).rename(checkpoints.folder / ".removing-checkpoint-1")

    checkpoints.newest()

    assert steps_left(checkpoints) == ["checkpoint-5"]
