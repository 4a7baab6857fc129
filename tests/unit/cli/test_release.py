from typing import Any

import pytest

from ratchet.cli.release import APPROVE, REJECT, Waiting, check_reason, find_waiting, unfinished
from ratchet.core.errors import TerminalError


class Approvals:
    """Only what `find_waiting` asks of Airflow: release ids by the run that waits."""

    def __init__(self, **releases: str) -> None:
        self._releases = releases

    def waiting_approvals(self, dag_id: str) -> list[str]:
        return list(self._releases)

    def output(self, dag_id: str, run_id: str, task_id: str, field: str) -> str:
        return self._releases[run_id]


class Runs:
    """Only what `unfinished` asks of Airflow: the runs, newest first."""

    def __init__(self, **states: str) -> None:
        self._states = states

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return [{"dag_run_id": name, "state": state} for name, state in self._states.items()]


@pytest.mark.parametrize(
    ("airflow", "expected"),
    [
        (Runs(), None),
        (Runs(b="success", a="failed"), None),
        (Runs(b="running", a="success"), "b"),
        (Runs(c="queued", b="running", a="success"), "b"),
    ],
)
def test_a_release_that_is_not_finished_is_found(airflow: Any, expected: str | None) -> None:
    assert unfinished(airflow, "release_support") == expected


@pytest.mark.parametrize(("asked", "run"), [("b", "run-2"), ("a", "run-1")])
def test_the_approval_of_a_release_is_found_by_its_name(asked: str, run: str) -> None:
    airflow: Any = Approvals(**{"run-1": "a", "run-2": "b"})

    assert find_waiting(airflow, "release_support", asked) == Waiting(asked, run)


def test_the_only_one_that_waits_need_not_be_named() -> None:
    airflow: Any = Approvals(**{"run-1": "a"})

    assert find_waiting(airflow, "release_support", None) == Waiting("a", "run-1")


@pytest.mark.parametrize(
    ("airflow", "asked", "words"),
    [
        (Approvals(), None, "no release of release_support waits"),
        (Approvals(one="a", two="b"), None, "these do: a, b"),
        (Approvals(one="a"), "c", "release 'c' does not wait for approval; these do: a"),
    ],
)
def test_what_does_not_wait_cannot_be_answered(airflow: Any, asked: str | None, words: str) -> None:
    with pytest.raises(TerminalError, match=words):
        find_waiting(airflow, "release_support", asked)


@pytest.mark.parametrize(
    ("option", "reason", "verdict"),
    [
        (APPROVE, "", "PASS"),
        (APPROVE, "the slices look fine", "INCONCLUSIVE"),
        (REJECT, "refunds got worse", "PASS"),
    ],
)
def test_an_answer_stands_with_the_reason_that_it_needs(option: str, reason: str, verdict: Any) -> None:
    check_reason(option, reason, lambda: verdict)


@pytest.mark.parametrize(
    ("option", "reason", "verdict", "words"),
    [
        (REJECT, "", "PASS", "a rejection needs a reason"),
        (REJECT, "  ", "FAIL", "a rejection needs a reason"),
        (APPROVE, " ", "INCONCLUSIVE", "an override and needs a reason"),
    ],
)
def test_an_answer_without_the_reason_that_it_needs_is_refused(
    option: str, reason: str, verdict: Any, words: str
) -> None:
    with pytest.raises(TerminalError, match=words):
        check_reason(option, reason, lambda: verdict)
