"""A whole platform as the exporter's sources see it, without one: what each would gather, as metrics."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from prometheus_client.metrics_core import Metric
from tests.fakes import looks
from tests.fakes.costs import done, run
from tests.fakes.events import event, sha
from tests.fakes.records import drill, notice, version

from ratchet.clients.airflow import TaskState
from ratchet.core.budget import Budget
from ratchet.core.costs import CostRecord
from ratchet.core.datasets import DatasetVersion
from ratchet.core.refs import FileRef, blob_uri
from ratchet.core.releases import LedgerEvent
from ratchet.core.rollout import RouterState, first_state, switched_to
from ratchet.core.verification import Row
from ratchet.sight import (
    costs,
    datasets,
    drifts,
    drills,
    edge,
    engines,
    feedback,
    gpus,
    ledger,
    production,
    quality,
    registry,
    releases,
    router,
    runs,
    work,
)

LINE = "support"
BUDGET = Budget(per_release=5.0, per_month=50.0)
WEEK = timedelta(weeks=1)
# From a running vLLM 0.32.0, cut short.
VLLM = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="support"} 2.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="support"} 3.0
# TYPE vllm:generation_tokens counter
vllm:generation_tokens_total{engine="0",model_name="support"} 70.0
vllm:generation_tokens_total{engine="1",model_name="support"} 30.0
# TYPE vllm:request_success counter
vllm:request_success_total{engine="0",finished_reason="stop",model_name="support"} 9.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="support"} 1.0
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_bucket{engine="0",le="1.0",model_name="support"} 10.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="support"} 10.0
vllm:time_to_first_token_seconds_count{engine="0",model_name="support"} 10.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="support"} 0.5
# TYPE vllm:e2e_request_latency_seconds histogram
vllm:e2e_request_latency_seconds_bucket{engine="0",le="0.3",model_name="support"} 4.0
vllm:e2e_request_latency_seconds_bucket{engine="0",le="10.0",model_name="support"} 9.0
vllm:e2e_request_latency_seconds_bucket{engine="0",le="+Inf",model_name="support"} 10.0
vllm:e2e_request_latency_seconds_count{engine="0",model_name="support"} 10.0
vllm:e2e_request_latency_seconds_sum{engine="0",model_name="support"} 12.5
"""


@dataclass(frozen=True)
class Pipeline:
    """What every source of one platform would gather."""

    ledger: ledger.LedgerFacts
    router: router.RouterFacts
    drills: drills.DrillFacts
    datasets: datasets.DatasetFacts
    work: work.WorkFacts
    production: production.ProductionFacts
    registry: registry.RegistryFacts
    drifts: drifts.DriftFacts
    quality: quality.QualityFacts
    costs: costs.CostFacts
    feedback: feedback.FeedbackFacts
    gpus: gpus.GpuFacts
    runs: runs.RunFacts
    releases: releases.ReleaseFacts
    edge: edge.EdgeFacts
    engine: engines.EngineFacts

    def families(self) -> list[Metric]:
        return [
            *ledger.families(self.ledger),
            *router.families(self.router),
            *drills.families(self.drills),
            *datasets.families(self.datasets),
            *work.families(self.work),
            *production.families(self.production),
            *registry.families(self.registry),
            *drifts.families(self.drifts),
            *quality.families(self.quality),
            *costs.families(self.costs),
            *feedback.families(self.feedback),
            *gpus.families(self.gpus),
            *runs.families(self.runs),
            *releases.families(self.releases),
            *edge.families(self.edge),
            *engines.families(self.engine),
        ]


def healthy(now: datetime, num_releases: int = 8) -> Pipeline:
    """A line that released a model each week, the newest one an hour ago, and asks for approval of the next."""
    weeks = [now - timedelta(hours=1) - WEEK * back for back in reversed(range(num_releases))]
    events, state = _story(weeks)
    newest = f"release-{num_releases - 1}"
    shift = {"feature": "label", "psi": 0.05, "js": 0.1, "limit": 0.15}
    last_run = {"dag_run_id": "r", "state": "success", "start_date": weeks[-1].isoformat()}
    check = {"name": "intent", "effect": 0.02, "low": 0.01, "high": 0.03, "threshold": -0.01, "num_samples": 600}
    judged = releases.Judged("PASS", [check])
    tasks = {"release_support": ("gate",), "monitor_support": ("monitor", "remind")}
    dags = [
        runs.DagFacts(dag, [last_run] * 3, [TaskState(task_id=task, state="success", try_number=1) for task in names])
        for dag, names in tasks.items()
    ]
    return Pipeline(
        ledger.LedgerFacts(LINE, events, [notice(now)], now, WEEK.total_seconds(), 2 * 86_400),
        router.RouterFacts(LINE, state),
        drills.DrillFacts(LINE, [drill(at=weeks[-1])], events, WEEK.total_seconds()),
        datasets.DatasetFacts(
            LINE, [_version(weeks[-1])], [datasets.Upload(100, 97, 3, {"text_length": 3}, [shift]) for _ in weeks]
        ),
        work.WorkFacts(
            LINE, {"gate": [work.Done(at, 1.0, 1.0) for at in weeks]}, Counter({("gate", "STORE_AWAY"): num_releases})
        ),
        production.ProductionFacts(LINE, [Row(part, "ok", "a", "a", "there") for part in ("router", "alias previous")]),
        registry.RegistryFacts(LINE, {"production": sha(newest)}),
        drifts.DriftFacts(LINE, looks.look(words=0.05, embedding=0.005)),
        quality.QualityFacts(LINE, looks.judged(newest, right=95, hits=1, kpi=0.02)),
        costs.CostFacts(LINE, [_spent(number, at) for number, at in enumerate(weeks)], now, "EUR", BUDGET),
        feedback.FeedbackFacts(LINE, {(newest, "down"): 3, (newest, "up"): 4}, num_waiting=2),
        gpus.GpuFacts(LINE, [gpus.Gpu(0, "a GPU", 0.5, 2e9, 8e9, 100.0, 300.0)]),
        runs.RunFacts(LINE, dags),
        releases.ReleaseFacts(LINE, [judged] * min(num_releases, 10), {"gate": 3.0}, "EUR", 1.0),
        edge.EdgeFacts(LINE, [edge.Counted(state.active, newest, code, n) for code, n in (("2xx", 1000), ("5xx", 1))]),
        engines.EngineFacts(LINE, state.active, newest, VLLM),
    )


def troubled(now: datetime) -> Pipeline:
    """The same line where all that can be wrong at a single look is."""
    well = healthy(now)
    long_ago = now - timedelta(days=100)
    gone = [entry.model_copy(update={"at": long_ago}) for entry in well.ledger.events]
    given_up = event("aborted", "c", at=now)
    notices = [notice(long_ago).model_copy(update={"rejects_at": now + WEEK})]
    bad = datasets.Upload(100, 60, 40, {"text_length": 40}, [{"feature": "label", "psi": 0.4, "js": 0.3, "limit": 0.2}])
    failed = {"dag_run_id": "r", "state": "failed", "start_date": now.isoformat()}
    red = [
        runs.DagFacts("release_support", [failed] * 2, ()),
        runs.DagFacts("monitor_support", [failed], [TaskState(task_id="monitor", state="failed", try_number=3)]),
    ]
    return replace(
        well,
        ledger=replace(well.ledger, events=[*gone, given_up], notices=notices),
        drills=replace(well.drills, drills=[drill(at=long_ago)]),
        datasets=replace(well.datasets, uploads=[*well.datasets.uploads, bad]),
        production=production.ProductionFacts(LINE, [Row("router", "differs", "a", "b", "there")]),
        runs=runs.RunFacts(LINE, red),
        drifts=drifts.DriftFacts(LINE, looks.look(words=0.5)),
        quality=quality.QualityFacts(LINE, looks.judged("release-7", right=60, hits=40, kpi=0.3)),
        releases=replace(well.releases, judged=[releases.Judged("FAIL", ())] * 2, money=7.0),
    )


def _story(weeks: list[datetime]) -> tuple[list[LedgerEvent], RouterState]:
    events = [event("bootstrap", "a", at=weeks[0])]
    state = first_state("blue", "a", sha("a"), seq=0)
    for week, at in enumerate(weeks):
        name = f"release-{week}"
        events += [event(kind, name, at=at, seq=0) for kind in ("approved", "promoting", "promoted")]
        state = switched_to(state, "green" if state.active == "blue" else "blue", name, sha(name), seq=week)
    return [entry.model_copy(update={"seq": seq}) for seq, entry in enumerate(events)], state


def _version(at: datetime) -> DatasetVersion:
    rows = FileRef(uri=blob_uri(sha("rows")), sha256=sha("rows"), bytes=1)
    return version(rows, dataset=LINE, num_rows=776, num_quarantined=24, at=at)


def _spent(number: int, at: datetime) -> CostRecord:
    """An hour of it on a CPU."""
    return run(f"release-{number}", done("gate", 3600.0), at=at)
