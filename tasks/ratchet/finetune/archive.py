"""Checkpoints in the store, for training whose own disk goes with its pod.

checkpoints/<key>/00000050-1f0c2a9b/…              a sealed checkpoint, the training log, the number of resumes
checkpoints/<key>/00000050-1f0c2a9b/manifest.json  the checkpoint's own manifest, written last
"""

import shutil
import uuid
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from ratchet.clients.bucket import Bucket
from ratchet.core.errors import RatchetError
from ratchet.core.log import log
from ratchet.core.refs import list_folder
from ratchet.finetune.checkpoints import MANIFEST, PREFIX

NUM_KEPT = 2  # the newest, and one in case that its bytes rot
BESIDE = ("training_log.jsonl", "num_resumes")


class Archive:
    """`work` is the folder of the attempt: checkpoints/ and the files of BESIDE are below it."""

    def __init__(self, bucket: Bucket, key: str, work: Path) -> None:
        self.bucket = bucket
        self.prefix = f"checkpoints/{key}/"
        self.work = work

    def keep(self, step: int) -> None:
        """Copy the sealed checkpoint of `step`. A store that is away costs this copy, not the training."""
        try:
            self._copy(step)
            self._prune(NUM_KEPT)
        except RatchetError as error:
            log.warning("the checkpoint is on this disk only", extra={"step": step, "reason": str(error)})

    def bring_back(self) -> None:
        """Fetch the whole checkpoints, the newest first to be used; does nothing where the disk has some of its own."""
        target = self.work / "checkpoints"
        if target.is_dir() and any(target.glob(f"{PREFIX}*")):
            return
        for name, files in sorted(self._whole().items())[-NUM_KEPT:]:
            step = int(name.partition("-")[0])
            for file in files:
                self._fetch(f"{self.prefix}{name}/{file}", self._place(step, file))
            log.info("fetched a checkpoint", extra={"step": step})

    def prune_to_newest(self) -> None:
        """The work is done, but for its record: until that is written, one checkpoint saves the rest."""
        try:
            self._prune(1)
        except RatchetError as error:
            log.warning("older checkpoints stay in the store", extra={"reason": str(error)})

    def _copy(self, step: int) -> None:
        folder = self.work / "checkpoints" / f"{PREFIX}{step}"
        # A name of its own: a half-written copy of an earlier attempt is never mixed with this one.
        name = f"{self.prefix}{step:08}-{uuid.uuid4().hex[:8]}"
        beside = [(name, self.work / name) for name in BESIDE if (self.work / name).is_file()]
        for file, path in [*beside, *list_folder(folder)]:
            if file != MANIFEST:
                self.bucket.create(f"{name}/{file}", path)
        self.bucket.create(f"{name}/{MANIFEST}", folder / MANIFEST)

    def _prune(self, num_kept: int) -> None:
        whole = sorted(self._whole())
        dropped = set(whole[:-num_kept])
        for name, files in self._found().items():
            if name in dropped or (name not in whole and whole and name < whole[-1]):
                # The manifest first: what is deleted halfway must not look whole.
                for file in sorted(files, key=lambda file: file != MANIFEST):
                    self.bucket.delete(f"{self.prefix}{name}/{file}")

    def _whole(self) -> Mapping[str, list[str]]:
        return {name: files for name, files in self._found().items() if MANIFEST in files}

    def _found(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for key in self.bucket.keys(self.prefix):
            name, _, file = key.removeprefix(self.prefix).partition("/")
            found[name].append(file)
        return found

    def _place(self, step: int, file: str) -> Path:
        return self.work / file if file in BESIDE else self.work / "checkpoints" / f"{PREFIX}{step}" / file

    def _fetch(self, key: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming = target.with_name(f".{target.name}.incoming")
        self.bucket.fetch(key, incoming)
        shutil.move(incoming, target)
