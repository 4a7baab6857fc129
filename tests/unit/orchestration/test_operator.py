"""What Airflow is told when a step leaves no manifest, and what of a step's inputs is rendered."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from ratchet.clients.bucket import StoreAway
from ratchet.clients.pod_status import Ending
from ratchet.clients.store import DigestMismatch
from ratchet.core.errors import NothingToDo, RatchetError
from ratchet.core.memo import ErrorRecord, Manifest
from ratchet.core.telemetry import RunTrace
from ratchet.monitor.contract import MonitorInputs
from ratchet.orchestration.operator import StepOperator, failure, record_of, sealed, told_to_airflow, xcom_of
from ratchet.orchestration.runtime import Work
from ratchet.orchestration.verdict import stops
from ratchet.steps import STEPS

ANY_INPUTS = MonitorInputs.model_construct()
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


def test_a_failure_carries_the_message_of_the_error_record_and_ends_with_what_explains_it() -> None:
    said = str(failure("prepare", Ending(65), RECORD))

    assert "row 7: the answer would be cut off" in said
    assert said.splitlines()[-1].startswith("DATA_UNUSABLE: ")
    assert said.endswith("`ratchet explain DATA_UNUSABLE`")


def test_a_record_of_an_older_version_is_told_without_a_code() -> None:
    assert "explain" not in str(failure("prepare", Ending(65), RECORD.model_copy(update={"code": None})))


@pytest.fixture
def work() -> Work:
    return Work(STEPS["finetune"], ANY_INPUTS, "1" * 64, "run-1", "2", RunTrace.of("release_support", "run-1"))


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (Ending(137), "KILLED"),
        (Ending(1), "NO_RECORD"),
        (Ending(0), "NO_RECORD"),
        (Ending(75, "its pod is gone", "POD_LOST"), "POD_LOST"),
    ],
)
def test_a_step_that_could_not_say_why_has_an_error_record_all_the_same(work: Work, ending: Ending, code: str) -> None:
    record = record_of(work, ending, None, RECORD.at)

    assert (record.step, record.key, record.run_id, record.attempt) == ("finetune", "1" * 64, "run-1", "2")
    assert (record.code, record.exit_code) == (code, ending.exit_code)
    assert (ending.why or "left no error record") in record.message


def test_what_the_step_said_of_itself_stands(work: Work) -> None:
    assert record_of(work, Ending(65), RECORD, RECORD.at) is RECORD


def test_what_only_the_pod_knows_comes_before_what_the_step_could_still_say(work: Work) -> None:
    stopped = RECORD.model_copy(update={"code": "STOPPED", "error": "Cancelled", "message": "told to stop"})

    record = record_of(work, Ending(75, "its pod was ended by the cluster (Evicted)", "POD_LOST"), stopped, RECORD.at)

    assert record.code == "POD_LOST"
    assert record.message == "Cancelled: told to stop; its pod was ended by the cluster (Evicted)"


def test_a_training_pod_that_ran_out_of_memory_is_told_as_a_training(work: Work) -> None:
    lack = Ending(65, "OUT OF MEMORY", "OUT_OF_MEMORY")

    assert record_of(work, lack, None, RECORD.at).code == "TRAIN_OOM"
    assert record_of(replace(work, step=STEPS["evaluate"]), lack, None, RECORD.at).code == lack.code


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StoreAway("no answer"), AirflowException),
        (DigestMismatch("torn"), AirflowFailException),
        (NothingToDo("no new rows"), AirflowSkipException),
    ],
)
def test_what_fails_before_the_step_begins_is_told_to_airflow_in_the_same_way(
    error: RatchetError, kind: type[Exception]
) -> None:
    with pytest.raises(AirflowException) as raised, told_to_airflow():
        raise error

    assert type(raised.value) is kind
    assert str(error) in str(raised.value)
    assert (f"`ratchet explain {error.code}`" in str(raised.value)) is not isinstance(error, NothingToDo)


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
