"""The end of the release DAG as Airflow sees it: the approval, what it guards, and the teardown that unloads.

A reminder is due at once.
"""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from tests.fakes.events import promotion

from ratchet.orchestration.approval import ReleaseApproval
from ratchet.orchestration.reminders import RemindApprovers

with DAG(dag_id="release_support", schedule=None) as release:
    stage = EmptyOperator(task_id="stage")
    approve = ReleaseApproval(
        task_id="approve",
        subject="Release of support",
        body="the report",
        proposal=promotion().proposal.model_dump(mode="json"),
        verdict="PASS",
        approvers=("mia",),
        two_people=False,
        timeout_hours=72,
        escalate_to=("lead",),
    )
    promote = EmptyOperator(task_id="promote")
    unload = EmptyOperator(task_id="unload").as_teardown(setups=stage)
    stage >> approve >> promote >> unload

with DAG(dag_id="monitor_support", schedule=None) as monitor:
    RemindApprovers(
        task_id="remind",
        line="support",
        approval=("release_support", "approve"),
        reminder_hours=1e-9,
        escalation_hours=48,
        escalate_to=("lead",),
    )
