"""Airflow's REST API: start a release, watch it, answer its approval."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
from pydantic import AwareDatetime, BaseModel

from ratchet.core.errors import TerminalError, TransientError


class AirflowUnavailable(TransientError, ConnectionError):
    """Airflow does not answer."""

    code = "UNAVAILABLE"


class AirflowRefused(TerminalError, ValueError):
    """Airflow answered with a client error: the request cannot work as it is."""

    code = "REFUSED"


class RunThere(AirflowRefused):
    """There is a run of that name already."""


class TaskState(BaseModel):
    """One task of a run, as the API tells it. `duration` is in seconds."""

    task_id: str
    state: str | None = None
    try_number: int = 0
    start_date: AwareDatetime | None = None
    end_date: AwareDatetime | None = None
    duration: float | None = None


class Airflow:
    """One user's session. Passwords are read from the platform's password file when they are needed."""

    def __init__(self, url: str, user: str, passwords: Path) -> None:
        self._user, self._passwords = user, passwords
        self._http = httpx.Client(base_url=url, timeout=20.0, trust_env=False)
        self._token_until = 0.0

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any] | None = None) -> None:
        """Raises RunThere, AirflowRefused, AirflowUnavailable."""
        # An asset-triggered or manual run has no logical date; the key must be there all the same.
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf or {}}
        self._call("POST", f"/dags/{dag_id}/dagRuns", body)

    def knows(self, dag_id: str) -> bool:
        """Has Airflow parsed this DAG?"""
        try:
            return bool(self._call("GET", f"/dags/{dag_id}"))
        except AirflowRefused:
            return False

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def runs(self, dag_id: str, limit: int = 10) -> list[dict[str, Any]]:
        """The newest runs first."""
        found = self._call("GET", f"/dags/{dag_id}/dagRuns", params={"order_by": "-run_after", "limit": limit})
        return list(found["dag_runs"])

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        found = self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
        return [TaskState.model_validate(task) for task in found["task_instances"]]

    def log(self, dag_id: str, run_id: str, task: TaskState) -> list[str]:
        """The task's log so far, its newest attempt, one event per element; empty before it wrote any.

        Why the task failed, which Airflow keeps beside its event, comes after it as "Kind: message".
        """
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{max(task.try_number, 1)}"
        try:
            content = self._call("GET", path, params={"full_content": "true"})["content"]
        except AirflowRefused:
            return []
        return [text for line in content for text in _told(line)]

    def output(self, dag_id: str, run_id: str, task_id: str, field: str) -> Any:
        """One field of a finished step's outputs; None when there is none."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{field}"
        try:
            return self._call("GET", path, params={"deserialize": "true"})["value"]
        except AirflowRefused:
            return None

    def waiting_approvals(self, dag_id: str) -> list[str]:
        """The run ids whose approval waits for a person."""
        path = f"/dags/{dag_id}/dagRuns/~/hitlDetails"
        found = self._call("GET", path, params={"response_received": "false", "limit": 100})
        waiting = [detail["task_instance"] for detail in found["hitl_details"]]
        return [str(task["dag_run_id"]) for task in waiting if task["state"] == "awaiting_input"]

    def answer(self, dag_id: str, run_id: str, option: str, reason: str) -> None:
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
        self._call("PATCH", path, {"chosen_options": [option], "params_input": {"reason": reason}})

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, params: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            self._sign_in()
            response = self._http.request(method, f"/api/v2{path}", json=body, params=params)
        except httpx.HTTPError as error:
            raise AirflowUnavailable(
                f"Airflow at {self._http.base_url} does not answer: {error}; `ratchet up`?"
            ) from error
        if response.status_code >= 500:
            raise AirflowUnavailable(
                f"Airflow answered {response.status_code} to {method} {path}: {response.text[:300]}"
            )
        if response.status_code >= 400:
            kind = RunThere if (response.status_code, method) == (409, "POST") else AirflowRefused
            raise kind(f"Airflow answered {response.status_code} to {method} {path}: {response.text[:300]}")
        return dict(response.json()) if response.content else {}

    def _sign_in(self) -> None:
        if time.monotonic() < self._token_until:
            return
        password = json.loads(self._passwords.read_text("utf-8"))[self._user]
        answer = self._http.post("/auth/token", json={"username": self._user, "password": password})
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        self._token_until = time.monotonic() + 1800


def _told(line: Any) -> list[str]:
    if not isinstance(line, dict):
        return [str(line)]
    errors = line.get("error_detail") or ()
    return [str(line["event"]), *(f"{error['exc_type']}: {error['exc_value']}" for error in errors)]
