from pathlib import Path

from ratchet.finetune.attempt import Attempt, begin


def train(attempt: Attempt, first: int, last: int, sealed: int) -> None:
    for step in range(first, last + 1):
        attempt.training_log.append(step, {"loss": 1.0})
    (attempt.checkpoints.folder / f"checkpoint-{sealed}").mkdir()
    attempt.checkpoints.seal(sealed)


def test_a_first_attempt_begins_at_the_beginning(tmp_path: Path) -> None:
    attempt = begin(tmp_path / "work")

    assert attempt.resume is None
    assert attempt.num_resumes == 0


def test_a_killed_attempt_is_gone_on_with_from_its_checkpoint(tmp_path: Path) -> None:
    train(begin(tmp_path), 1, 14, sealed=10)

    attempt = begin(tmp_path)

    assert attempt.resume is not None
    assert attempt.resume.step == 10
    assert [record.step for record in attempt.training_log.records] == list(range(1, 11))


def test_resumes_are_counted_over_attempts(tmp_path: Path) -> None:
    train(begin(tmp_path), 1, 14, sealed=10)
    train(begin(tmp_path), 11, 20, sealed=20)

    assert begin(tmp_path).num_resumes == 2


def test_an_attempt_killed_before_its_first_checkpoint_is_no_resume(tmp_path: Path) -> None:
    begin(tmp_path).training_log.append(1, {"loss": 1.0})

    attempt = begin(tmp_path)

    assert attempt.num_resumes == 0
    assert attempt.training_log.records == []
