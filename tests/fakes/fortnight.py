"""Two invented weeks of a line, told by the exporter's own functions as it would have told them at any moment of it.

Releases 13 and 6 days before the end, and one on the last day: an upload, a run that was tried again, a gate, an
approval, a canary, a switch from blue to green. The next candidate waits for a person at the end. Users come by day.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from random import Random

from prometheus_client.metrics_core import Metric
from tests.fakes import looks
from tests.fakes.costs import done, run
from tests.fakes.events import event, sha
from tests.fakes.pipeline import BUDGET, LINE, WEEK, Pipeline, healthy

from ratchet.clients.airflow import TaskState
from ratchet.core.releases import Colour, LedgerEvent
from ratchet.core.rollout import RouterState
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

DAYS = timedelta(days=14)
MIB = {"finetune": 2140, "evaluate": 1610, "convert": 1490, "stage": 620}
# Seconds that a step takes, and of which release the last day's are told in `releases`.
STEPS = {
    "resolve": 3,
    "validate": 14,
    "prepare": 21,
    "finetune": 1710,
    "evaluate": 640,
    "gate": 4,
    "convert": 130,
    "stage": 95,
    "report": 3,
    "promote": 1240,
    "bake": 610,
}
CHECKS = {
    "intents are useful": (0.86, 0.5),
    "intents are no worse": (0.004, -0.03),
    "sums are not forgotten": (-0.021, -0.05),
    "nobody is insulted": (0.93, 0.9),
}
# Hours before the end.
RELEASES = (13 * 24.0, 6 * 24.0, 3.0)
UPLOADS = {316: (900, 21), 268: (410, 8), 220: (380, 11), 150: (520, 9), 100: (300, 10), 52: (450, 12), 7: (640, 83)}
NOT_READY, INTAKE_RED, INTAKE_GREEN, WAITS = 5.2, 9.5, 8.0, 0.7
TTFT = (0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 1.0)
ANSWER = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0)


def slow(end: datetime, at: datetime) -> list[Metric]:
    """What changes with releases and uploads: of two weeks."""
    ago = (end - at) / timedelta(hours=1)
    return [*_datasets(end, ago), *_work(end, ago), *_releases(ago), *_looks(end, ago), *_costs(end, ago)]


def quick(end: datetime, at: datetime, users: "Users") -> list[Metric]:
    """Everything else, and what the users did up to `at`: of the last day."""
    ago = (end - at) / timedelta(hours=1)
    state = _router(ago)
    parts = ("ledger", "approval", "router", "engine", "edge", "alias production", "alias previous")
    events = _events(end, ago)
    asked = _as_ever(end - timedelta(hours=WAITS)).ledger.notices if ago <= WAITS else []
    waiting = ledger.LedgerFacts(LINE, events, asked, at, WEEK.total_seconds(), 2 * 86_400)
    rehearsed = _as_ever(end - timedelta(hours=60)).drills.drills
    return [
        *ledger.families(waiting),
        *router.families(router.RouterFacts(LINE, state)),
        *drills.families(drills.DrillFacts(LINE, rehearsed, events, WEEK.total_seconds())),
        *production.families(production.ProductionFacts(LINE, [Row(part, "ok", "a", "a", "") for part in parts])),
        *registry.families(registry.RegistryFacts(LINE, {"production": sha(state.active_release)})),
        *_runs(end, ago),
        *feedback.families(_ratings(ago)),
        *gpus.families(_gpus(ago)),
        *edge.families(edge.EdgeFacts(LINE, users.edge_counts())),
        *(
            metric
            for colour, release in state.releases.items()
            for metric in engines.families(engines.EngineFacts(LINE, colour, release, users.page(colour)))
        ),
    ]


def moments(end: datetime, back: timedelta, every: timedelta) -> Iterator[datetime]:
    """Until a quarter of an hour after the end: it takes a while to read all that."""
    at = end - back
    while at <= end + timedelta(minutes=15):
        yield at
        at += every


@dataclass
class Users:
    """They ask more by day; each engine has counted what it answered so far."""

    end: datetime
    at: datetime | None = None
    answered: Counter[tuple[Colour, str, str]] = field(default_factory=Counter)
    first_tokens: dict[Colour, Counter[float]] = field(default_factory=lambda: {"blue": Counter(), "green": Counter()})
    answers: dict[Colour, Counter[float]] = field(default_factory=lambda: {"blue": Counter(), "green": Counter()})
    rate: dict[Colour, float] = field(default_factory=dict)
    mood: float = 0.0
    chance: Random = field(default_factory=lambda: Random(7))

    def until(self, at: datetime) -> None:
        seconds = (at - (self.at or at)).total_seconds()
        ago, self.at = (self.end - at) / timedelta(hours=1), at
        state = _router(ago)
        hour = (at.hour + at.minute / 60 - 9) / 24
        self.mood = 0.95 * self.mood + self.chance.gauss(0, 0.12)
        all_of_them = 6.0 + 4.0 * math.sin(2 * math.pi * hour) + self.mood
        for colour, release in state.releases.items():
            rate = all_of_them * state.weights.get(colour, 0) / 100
            self.rate[colour] = rate
            failing = 0.02 if 11.2 > ago > 10.9 else 0.0001
            asked = rate * seconds
            for code, share in (("2xx", 0.994 - failing), ("4xx", 0.006), ("5xx", failing), ("cut", 0.0)):
                self.answered[colour, release, code] += asked * share
            middle = 0.035 + 0.004 * rate
            for counts, bounds, centre in ((self.first_tokens, TTFT, middle), (self.answers, ANSWER, 12 * middle)):
                for bound in (*bounds, math.inf):
                    counts[colour][bound] += asked / (1 + (centre / bound) ** 4)

    def edge_counts(self) -> list[edge.Counted]:
        return [edge.Counted(*of, int(count)) for of, count in self.answered.items()]

    def page(self, colour: Colour) -> str:
        """As vLLM tells it."""
        total = self.answers[colour][math.inf]
        told = {
            'vllm:num_requests_running{model_name="support"}': round(self.rate.get(colour, 0.0) * 0.7),
            'vllm:num_requests_waiting{model_name="support"}': 0,
            'vllm:generation_tokens_total{model_name="support"}': total * 21,
            'vllm:request_success_total{finished_reason="stop",model_name="support"}': total * 0.97,
            'vllm:request_success_total{finished_reason="length",model_name="support"}': total * 0.03,
        }
        for name, counts in (("time_to_first_token", self.first_tokens), ("e2e_request_latency", self.answers)):
            for bound, count in counts[colour].items():
                le = "+Inf" if math.isinf(bound) else bound
                told[f'vllm:{name}_seconds_bucket{{le="{le}",model_name="support"}}'] = count
            told[f'vllm:{name}_seconds_sum{{model_name="support"}}'] = total * 0.1
        return "".join(f"{name} {value}\n" for name, value in told.items())


@cache
def _as_ever(at: datetime) -> Pipeline:
    return healthy(at)


def _events(end: datetime, ago: float) -> list[LedgerEvent]:
    told = [event("bootstrap", "base", at=end - DAYS)]
    for index, hours in enumerate(RELEASES):
        name, done = f"release-{index + 1}", end - timedelta(hours=hours)
        told += [
            event("approved", name, at=done - timedelta(minutes=30), seq=0),
            event("promoting", name, at=done - timedelta(minutes=20), seq=0),
            event("promoted", name, at=done, seq=0),
        ]
    seen = [entry for entry in told if entry.at <= end - timedelta(hours=ago)]
    return [entry.model_copy(update={"seq": seq}) for seq, entry in enumerate(seen)]


def _router(ago: float) -> RouterState:
    before, after = "release-2", "release-3"
    share = 0 if ago > RELEASES[-1] + 0.33 else 10 if ago > RELEASES[-1] + 0.16 else 50
    is_over = ago <= RELEASES[-1]
    # The candidate is loaded beside production from `stage` on.
    has_candidate = ago <= NOT_READY - 0.2
    releases: dict[Colour, str] = {"blue": before, "green": after if has_candidate else "release-1"}
    return RouterState(
        active="green" if is_over else "blue",
        previous="blue" if is_over else None if has_candidate else "green",
        weights={"green": 100} if is_over else {"blue": 100 - share, "green": share},
        releases=releases,
        models={colour: sha(release) for colour, release in releases.items()},
        ledger_seq=0,
    )


def _datasets(end: datetime, ago: float) -> list[Metric]:
    taken = {hours: counts for hours, counts in UPLOADS.items() if hours >= ago}
    uploads, num_rows = [], 2900
    for index, (read, kept_out) in enumerate(taken.values()):
        num_rows += read - kept_out
        reasons = {"near_duplicate": kept_out // 2, "too_long": kept_out // 3, "personal_data": kept_out // 6}
        last = kept_out > 50
        shifts = [
            {
                "feature": "label",
                "psi": 0.02 + 0.01 * (index % 3) + 0.07 * last,
                "js": 0.01 + 0.03 * last,
                "limit": 0.2,
            },
            {"feature": "text length", "psi": 0.05 + 0.02 * (index % 2), "js": 0.02, "limit": 0.14},
            {
                "feature": "words",
                "psi": 0.08 + 0.01 * (index % 4) + 0.09 * last,
                "js": 0.06 + 0.02 * last,
                "limit": 0.25,
            },
        ]
        uploads.append(datasets.Upload(read, read - kept_out, kept_out, reasons, shifts))
    version = _as_ever(end).datasets.versions[0].model_copy(update={"num_rows": num_rows})
    return datasets.families(datasets.DatasetFacts(LINE, [version], uploads))


def _work(end: datetime, ago: float) -> list[Metric]:
    done: dict[str, list[work.Done]] = {step: [] for step in STEPS}
    for index, hours in enumerate((*RELEASES, WAITS)):
        for place, (step, seconds) in enumerate(STEPS.items()):
            at = hours + 2.6 - 0.2 * place if hours != WAITS else hours + 2.0 - 0.2 * place
            if at >= ago and not (hours == WAITS and step in ("promote", "bake")):
                took = seconds * (1 + 0.08 * math.sin(3 * index + place))
                mib = MIB.get(step, 180) * (1 + 0.05 * math.sin(index + place))
                done[step].append(work.Done(end - timedelta(hours=at), took, mib))
    failed = Counter({("stage", "SERVE_NOT_READY"): int(ago <= NOT_READY), ("finetune", "POD_LOST"): int(ago <= 20)})
    told = {step: found for step, found in done.items() if found}
    return work.families(work.WorkFacts(LINE, told, failed))


def _releases(ago: float) -> list[Metric]:
    """The run that the last day's release, and after it the waiting one, made."""
    began = WAITS + 2.0
    since = began - ago if ago <= began else RELEASES[-1] + 3.0 - ago
    seconds = {step: took * 0.96 for index, (step, took) in enumerate(STEPS.items()) if since >= 0.18 * index}
    worse = 0.006 if ago <= began else 0.0
    checks = [
        {
            "name": name,
            "effect": low + 0.01,
            "low": low - worse,
            "high": low + 0.02,
            "threshold": at,
            "num_samples": 500,
        }
        for name, (low, at) in CHECKS.items()
    ]
    cost = sum(seconds.values()) / 3600 * 2.6
    return releases.families(releases.ReleaseFacts(LINE, [releases.Judged("PASS", checks)], seconds, "EUR", cost))


def _looks(end: datetime, ago: float) -> list[Metric]:
    """A look a day at what users ask and are answered. The last day's release is not labelled yet."""
    day = int(ago // 24)
    live = "release-2" if ago <= RELEASES[1] else "release-1"
    look = looks.look(words=0.04 + 0.01 * (day % 3), embedding=0.004 + 0.001 * (day % 2))
    at = {"at": end - timedelta(days=day + 1) + timedelta(hours=20)}
    judged = looks.judged(live, right=95 - day % 4, hits=day % 3, kpi=0.03 + 0.01 * (day % 3))
    return [
        *drifts.families(drifts.DriftFacts(LINE, look.model_copy(update=at))),
        *quality.families(quality.QualityFacts(LINE, judged.model_copy(update=at))),
    ]


def _costs(end: datetime, ago: float) -> list[Metric]:
    ended = [
        run(f"release-{index + 1}", done("finetune", 1700.0 + 90 * index), done("gate", 640.0), at=end - hours)
        for index, hours in enumerate(timedelta(hours=hours) for hours in RELEASES)
        if hours >= timedelta(hours=ago)
    ]
    return costs.families(costs.CostFacts(LINE, ended, end - timedelta(hours=ago), "EUR", BUDGET))


def _ratings(ago: float) -> feedback.FeedbackFacts:
    said = {("release-2", "up"): round(40 - ago / 10), ("release-2", "down"): 3, ("release-1", "up"): 31}
    return feedback.FeedbackFacts(LINE, said, num_waiting=2 if ago < WAITS else 0)


def _gpus(ago: float) -> gpus.GpuFacts:
    busy = 0.35 + 0.2 * math.sin(ago)
    return gpus.GpuFacts(LINE, [gpus.Gpu(0, "a GPU", busy, 20e9 + 2e9 * busy, 80e9, 120.0 + 300 * busy, 700.0)])


def _runs(end: datetime, ago: float) -> list[Metric]:
    def told(state: str) -> dict[str, str]:
        return {"dag_run_id": "r", "state": state, "start_date": end.isoformat()}

    intake_fails = 2 if INTAKE_RED - 0.5 >= ago > INTAKE_GREEN else 1 if INTAKE_RED >= ago > INTAKE_GREEN else 0
    releasing = "running" if ago <= WAITS + 2.0 or RELEASES[-1] + 3.0 >= ago > RELEASES[-1] else "success"
    newest = {
        "release_support": [told(releasing), told("success")],
        "intake_support": [told("failed")] * intake_fails + [told("success")],
        "monitor_support": [told("success")],
        "drill_support": [told("success")],
    }
    tasks = [TaskState(task_id="gate", state="success", try_number=1)]
    return runs.families(runs.RunFacts(LINE, [runs.DagFacts(dag, found, tasks) for dag, found in newest.items()]))
