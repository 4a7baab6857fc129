import pytest

from ratchet.cli.watch import newest_progress


@pytest.mark.parametrize(
    "line",
    [
        "progress  step=2 steps=9",
        "[step] 19:25:16 progress  step=2 steps=9",
        "[step] logs: 19:25:16 progress  step=2 steps=9",
    ],
    ids=["a process", "a pod that runs", "a pod that ended"],
)
def test_progress_is_found_wherever_the_step_ran(line: str) -> None:
    assert newest_progress(["progress  step=1 steps=9", line, "[step] 19:25:17 something else"]) == "step=2 steps=9"


def test_a_log_without_progress_says_nothing() -> None:
    assert newest_progress(["started", "no progress  made"]) == ""
