"""Checkpoints that outlive their pod: what one attempt kept, the next one goes on from."""

from pathlib import Path

import pytest
from tests.unit.finetune.test_checkpoints import write

from ratchet.clients.bucket import LocalBucket, StoreAway
from ratchet.finetune import attempt
from ratchet.finetune.archive import Archive
from ratchet.finetune.checkpoints import Checkpoints

KEY = "a" * 64


class Bucket(LocalBucket):
    """Away after `num_writes` writes."""

    num_writes = 10_000

    def create(self, key: str, source: Path) -> bool:
        if self.num_writes == 0:
            raise StoreAway("the store is away")
        self.num_writes -= 1
        return super().create(key, source)


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return Bucket(tmp_path / "store")


def pod(bucket: Bucket, work: Path, *steps: int) -> None:
    """One attempt on a disk of its own: seals and keeps `steps`."""
    archive, checkpoints = Archive(bucket, KEY, work), Checkpoints(work / "checkpoints")
    for step in steps:
        write(checkpoints, step)
        (work / "training_log.jsonl").write_text(f"log up to {step}")
        checkpoints.seal(step)
        archive.keep(step)


def resumed(bucket: Bucket, work: Path) -> int:
    """The step that the next attempt, on an empty disk, goes on from; 0 is the beginning."""
    Archive(bucket, KEY, work).bring_back()
    found = Checkpoints(work / "checkpoints").newest()
    return found.step if found else 0


def test_the_next_pod_goes_on_from_the_newest_checkpoint(bucket: Bucket, tmp_path: Path) -> None:
    pod(bucket, tmp_path / "first", 25, 50, 75)

    assert resumed(bucket, tmp_path / "second") == 75
    assert (tmp_path / "second" / "training_log.jsonl").read_text() == "log up to 75"


def test_a_first_attempt_begins_at_the_beginning(bucket: Bucket, tmp_path: Path) -> None:
    assert resumed(bucket, tmp_path / "first") == 0


@pytest.mark.parametrize("num_writes", range(7))
def test_a_copy_that_was_cut_short_anywhere_is_not_used(bucket: Bucket, tmp_path: Path, num_writes: int) -> None:
    pod(bucket, tmp_path / "first", 25)
    write_next = Checkpoints(tmp_path / "first" / "checkpoints")
    write(write_next, 50)
    write_next.seal(50)
    bucket.num_writes = num_writes
    Archive(bucket, KEY, tmp_path / "first").keep(50)
    bucket.num_writes = 10_000

    assert resumed(bucket, tmp_path / "second") == 25


def test_a_store_that_is_away_does_not_stop_the_training(bucket: Bucket, tmp_path: Path) -> None:
    bucket.num_writes = 0

    pod(bucket, tmp_path / "first", 25)

    assert Checkpoints(tmp_path / "first" / "checkpoints").newest() is not None


def test_bytes_that_rotted_in_the_store_send_it_to_the_one_before(bucket: Bucket, tmp_path: Path) -> None:
    pod(bucket, tmp_path / "first", 25, 50)
    (rotten,) = (key for key in bucket.keys(f"checkpoints/{KEY}/00000050") if key.endswith("optimizer.pt"))
    (bucket.root / rotten).unlink()
    (bucket.root / rotten).write_text("something else")

    assert resumed(bucket, tmp_path / "second") == 25


def test_only_two_checkpoints_are_kept_and_one_when_the_work_is_done(bucket: Bucket, tmp_path: Path) -> None:
    pod(bucket, tmp_path / "first", 25, 50, 75, 100)

    assert len({key.split("/")[2] for key in bucket.keys("checkpoints/")}) == 2
    Archive(bucket, KEY, tmp_path / "first").prune_to_newest()
    assert {key.split("/")[2][:8] for key in bucket.keys("checkpoints/")} == {"00000100"}


def test_a_disk_with_checkpoints_of_its_own_is_left_alone(bucket: Bucket, tmp_path: Path) -> None:
    pod(bucket, tmp_path / "first", 25)
    pod(bucket, tmp_path / "second", 50)

    assert resumed(bucket, tmp_path / "second") == 50


def test_how_often_it_was_resumed_is_counted_over_all_pods(bucket: Bucket, tmp_path: Path) -> None:
    for number in range(3):
        work = tmp_path / str(number)
        begun = attempt.begin(work, Archive(bucket, KEY, work))
        assert begun.num_resumes == number
        write(begun.checkpoints, 25 * (number + 1))
        begun.checkpoints.seal(25 * (number + 1))
        begun.archive.keep(25 * (number + 1))  # type: ignore[union-attr]
