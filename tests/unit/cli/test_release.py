from typing import Any

import pytest

from ratchet.cli.release import unfinished


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
