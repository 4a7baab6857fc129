"""The verbs around one release: retrain, report, approve, reject, roll back."""

import getpass
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ratchet.clients.airflow import Airflow
from ratchet.clients.settings import Settings
from ratchet.clients.store import Store
from ratchet.core.budget import OVER_BUDGET
from ratchet.core.checks import Verdict
from ratchet.core.errors import TerminalError
from ratchet.core.memo import Manifest
from ratchet.report.contract import ReportOutputs

APPROVE, REJECT = "Approve", "Reject"


def airflow_of(settings: Settings, user: str) -> Airflow:
    url = f"http://127.0.0.1:{settings.ports.airflow}"
    return Airflow(url, user, settings.secrets / "airflow_passwords.json")


def unfinished(airflow: Airflow, dag_id: str) -> str | None:
    """The run that is going on or waits for a person. There is one at a time: another would wait behind it, unseen."""
    runs = [str(run["dag_run_id"]) for run in airflow.runs(dag_id) if run["state"] in ("running", "queued")]
    return runs[-1] if runs else None  # the oldest


def start(airflow: Airflow, dag_id: str, over_budget: str = "") -> str:
    """Trigger the DAG; returns the run id, readable and unique. `over_budget`: why it may cost more than its budget."""
    run_id = f"by-{getpass.getuser()}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}"
    airflow.trigger(dag_id, run_id, {OVER_BUDGET: over_budget} if over_budget else None)
    return run_id


@dataclass(frozen=True)
class Waiting:
    """A release that waits for a person's answer, and its run."""

    release_id: str
    run_id: str


def find_waiting(airflow: Airflow, dag_id: str, release_id: str | None) -> Waiting:
    """The waiting approval of `release_id`, or the only one that waits."""
    waiting = {
        str(airflow.output(dag_id, run_id, "resolve", "release_id")): run_id
        for run_id in airflow.waiting_approvals(dag_id)
    }
    if not waiting:
        raise TerminalError(f"no release of {dag_id} waits for approval; `ratchet status` shows what runs")
    if release_id is None and len(waiting) == 1:
        release_id = next(iter(waiting))
    if release_id not in waiting:
        raise TerminalError(
            f"release {release_id!r} does not wait for approval; these do: {', '.join(sorted(waiting))}"
        )
    return Waiting(release_id, waiting[release_id])


def check_reason(option: str, reason: str, verdict: Callable[[], Verdict]) -> None:
    """Raises TerminalError where the ledger must say why: for a no, and for a yes to what the gate did not settle."""
    if reason.strip():
        return
    if option == REJECT:
        raise TerminalError('a rejection needs a reason, which the ledger keeps: --reason "…"')
    if verdict() == "INCONCLUSIVE":
        raise TerminalError(
            "the gate is INCONCLUSIVE, so this approval is an override and needs a reason, which the ledger keeps: "
            '--reason "…"'
        )


@dataclass(frozen=True)
class FoundReport:
    release_id: str
    outputs: ReportOutputs


def find_report(store: Store, release_id: str | None) -> FoundReport:
    """The decision report of `release_id`, or the newest one; from the store alone, Airflow may be down."""
    manifests = [Manifest.model_validate_json(store.get(key) or b"") for key in store.keys("manifests/report/")]
    for manifest in sorted(manifests, key=lambda m: m.started_at, reverse=True):
        outputs = ReportOutputs.model_validate(manifest.outputs)
        found = str(json.loads(store.read_bytes(outputs.record))["evidence"]["release_id"])
        if release_id in (None, found):
            return FoundReport(found, outputs)
    raise TerminalError(f"no decision report for {release_id or 'any release'} yet; `ratchet status` shows what runs")


def write_page(settings: Settings, store: Store, found: FoundReport) -> Path:
    """The report's page as a file that a browser opens."""
    path = settings.state / "reports" / f"{found.release_id}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(store.read_bytes(found.outputs.page))
    return path
