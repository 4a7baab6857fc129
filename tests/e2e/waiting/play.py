"""Runs dags/release.py on a real Airflow database; once a reminder was looked for, the time to answer is over.

Prints, as JSON, the states of the tasks when the scheduler's own sweep has ended the run.
"""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select, update

TEST = [str(Path(sys.executable).parent / "airflow"), "dags", "test"]


def states() -> dict[str, str]:
    with create_session() as session:
        return {task.task_id: str(task.state) for task in session.scalars(select(TaskInstance))}


def play(run: "subprocess.Popen[bytes]") -> None:
    while run.poll() is None and states().get("approve") != "awaiting_input":
        time.sleep(0.2)
    subprocess.run([*TEST, "monitor_support"], check=True, stdout=sys.stderr)
    with create_session() as session:
        waiting = update(TaskInstance).where(TaskInstance.task_id == "approve")
        session.execute(waiting.values(trigger_timeout=datetime.now(UTC)))
    scheduler = SchedulerJobRunner(Job())
    while run.poll() is None:
        scheduler.check_awaiting_input_timeouts()
        time.sleep(0.2)


run = subprocess.Popen([*TEST, "release_support"], stdout=sys.stderr)
try:
    play(run)
finally:
    run.kill()
    run.wait()
print(json.dumps(states()))
