"""What Airflow is told when a step leaves no manifest, and what of a step's inputs is rendered."""

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from ratchet.clients.pod_status import Ending
from ratchet.core.memo import ErrorRecord, Manifest
from ratchet.orchestration.operator import StepOperator, failure, sealed, xcom_of
from ratchet.orchestration.verdict import stops

RECORD = ErrorRecord(
    step="prepare",
    key="0" * 64,
    code="DATA_UNUSABLE",
    error="TooLong",
    message="row 7: the answer would be cut off",
    exit_code=65,
    traceback=None,
    at=datetime(2026, 1, 5, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("exit_code", "kind"),
    [
        (0, AirflowException),  # no manifest, no success: nobody trusts an exit code alone
        (65, AirflowFailException),
        (75, AirflowException),
        (99, AirflowSkipException),
        (137, AirflowException),  # killed by a signal: a retry may help
    ],
)
def test_an_exit_code_becomes_what_airflow_does_next(exit_code: int, kind: type[Exception]) -> None:
    assert type(failure("prepare", Ending(exit_code), RECORD)) is kind


def test_a_failure_carries_the_message_of_the_error_record() -> None:
    assert "row 7: the answer would be cut off" in str(failure("prepare", Ending(65), RECORD))


def test_a_constant_with_braces_reaches_the_step_as_it_was_written() -> None:
    inputs = sealed({"tasks": [{"config_yaml": "doc_to_text: '{{prompt}}'"}]})
    task = StepOperator(task_id="t", step="evaluate", inputs=inputs)

    task.render_template_fields({"prompt": "replaced"})

    assert task.inputs == {"tasks": [{"config_yaml": "doc_to_text: '{{prompt}}'"}]}


@pytest.mark.parametrize(
    ("verdict", "policy", "stopped"),
    [
        ("PASS", "stop", False),
        ("PASS", "ask", False),
        ("FAIL", "stop", True),
        ("FAIL", "ask", True),
        ("INCONCLUSIVE", "stop", True),
        ("INCONCLUSIVE", "ask", False),
    ],
)
def test_only_a_pass_or_a_question_the_recipe_allows_goes_on(verdict: Any, policy: Any, stopped: bool) -> None:
    assert stops(verdict, policy) is stopped


def test_a_task_puts_out_its_outputs_and_where_their_manifest_is() -> None:
    manifest = Manifest(
        step="gate",
        key="1" * 64,
        outputs={"verdict": "PASS"},
        started_at=datetime(2026, 1, 5, tzinfo=UTC),
        wall_seconds=2.0,
        peak_memory_mib=90.0,
    )

    assert xcom_of(manifest) == {"verdict": "PASS", "manifest_key": "1" * 64}
