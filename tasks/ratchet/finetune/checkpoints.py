"""Checkpoints that can be trusted: a manifest is written last, and one that does not verify is never resumed from.

<folder>/checkpoint-<step>/…             what the trainer wrote
<folder>/checkpoint-<step>/manifest.json {"step": 50, "files": {"adapter_model.safetensors": "<sha256>", …}}
<folder>/aside/…                         half-written ones, kept to be looked at
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import NonNegativeInt, ValidationError

from ratchet.core.contract import Contract, Sha256
from ratchet.core.log import log
from ratchet.core.refs import digest_file, list_folder

MANIFEST = "manifest.json"
PREFIX = "checkpoint-"  # the trainer's own
NUM_KEPT = 2  # the newest, and one in case that its bytes rot


class CheckpointManifest(Contract):
    step: NonNegativeInt
    files: dict[str, Sha256]


@dataclass(frozen=True)
class Checkpoint:
    step: int
    folder: Path


class Checkpoints:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)

    def seal(self, step: int) -> None:
        """The trainer has written this step's checkpoint: make it durable, then valid; then drop the oldest ones."""
        checkpoint = self.folder / f"{PREFIX}{step}"
        files = {}
        for name, path in list_folder(checkpoint):
            files[name] = digest_file(path)
            _sync(path)
        temporary = checkpoint / f".{MANIFEST}"
        temporary.write_bytes(CheckpointManifest(step=step, files=files).canonical_json())
        _sync(temporary)
        temporary.rename(checkpoint / MANIFEST)
        _sync(checkpoint)
        _sync(self.folder)
        for old in self._newest_first()[NUM_KEPT:]:
            _remove(old.folder)

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that verifies. Newer ones that do not are moved aside, with a logged reason."""
        for leftover in self.folder.glob(f".removing-{PREFIX}*"):
            shutil.rmtree(leftover)
        for checkpoint in self._newest_first():
            reason = why_unusable(checkpoint)
            if reason is None:
                return checkpoint
            kept = self._move_aside(checkpoint)
            log.warning(
                "checkpoint ignored", extra={"step": checkpoint.step, "reason": reason, "kept": f"aside/{kept.name}"}
            )
        return None

    def _newest_first(self) -> list[Checkpoint]:
        return sorted(self._all(), key=lambda checkpoint: checkpoint.step, reverse=True)

    def _all(self) -> Iterator[Checkpoint]:
        for folder in self.folder.glob(f"{PREFIX}*"):
            step = folder.name.removeprefix(PREFIX)
            if step.isdecimal():
                yield Checkpoint(int(step), folder)

    def _move_aside(self, checkpoint: Checkpoint) -> Path:
        aside = self.folder / "aside"
        aside.mkdir(exist_ok=True)
        free = next(n for n in range(1_000_000) if not (aside / f"{checkpoint.folder.name}.{n}").exists())
        return checkpoint.folder.rename(aside / f"{checkpoint.folder.name}.{free}")


def why_unusable(checkpoint: Checkpoint) -> str | None:
    """None when every file that the manifest names is there with the bytes it had."""
    path = checkpoint.folder / MANIFEST
    try:
        manifest = CheckpointManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return f"no {MANIFEST}: writing it was cut short"
    except ValidationError as error:
        return f"{MANIFEST} is not one: {error.errors()[0]['msg']}"
    if manifest.step != checkpoint.step:
        return f"{MANIFEST} is of step {manifest.step}"
    for name, sha256 in sorted(manifest.files.items()):
        file = checkpoint.folder / name
        if not file.is_file():
            return f"{name} is missing"
        found = digest_file(file)
        if found != sha256:
            return f"{name}: expected sha256 {sha256[:12]}…, got {found[:12]}…"
    return None


def _remove(folder: Path) -> None:
    """Renamed first: a removal that is cut short must not look like a checkpoint that is half-written."""
    shutil.rmtree(folder.rename(folder.with_name(f".removing-{folder.name}")))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
