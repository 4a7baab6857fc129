"""What an attempt goes on from: training that was killed leaves its checkpoints and its log in the work folder."""

from dataclasses import dataclass
from pathlib import Path

from ratchet.core.log import log
from ratchet.finetune.archive import Archive
from ratchet.finetune.checkpoints import Checkpoint, Checkpoints
from ratchet.finetune.tracking import TrainingLog


@dataclass(frozen=True)
class Attempt:
    """`resume` is None when training starts from the beginning; `num_resumes` is over all attempts, this one too.

    `archive` has copies of the checkpoints where the disk does not outlive the attempt.
    """

    checkpoints: Checkpoints
    resume: Checkpoint | None
    training_log: TrainingLog
    num_resumes: int
    archive: Archive | None = None


def begin(work: Path, archive: Archive | None = None) -> Attempt:
    if archive:
        archive.bring_back()
    checkpoints = Checkpoints(work / "checkpoints")
    resume = checkpoints.newest()
    training_log = TrainingLog(work / "training_log.jsonl")
    training_log.go_on_after(resume.step if resume else 0)
    counter = work / "num_resumes"
    num_resumes = (int(counter.read_text()) if counter.exists() else 0) + (resume is not None)
    if resume:
        temporary = counter.with_suffix(".tmp")
        temporary.write_text(str(num_resumes))
        temporary.rename(counter)
        log.info("resumed", extra={"step": resume.step, "num_resumes": num_resumes})
    return Attempt(checkpoints, resume, training_log, num_resumes, archive)
