"""The newest releases in Airflow: what the gate found, and what the run cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, get_args

from prometheus_client.metrics_core import Metric

from ratchet.clients import manifests
from ratchet.clients.settings import Settings
from ratchet.clients.store import Store
from ratchet.core.checks import Verdict
from ratchet.core.costs import Rates
from ratchet.core.memo import MANIFEST_KEY, Manifest
from ratchet.recipes.rates import rates_of
from ratchet.recipes.recipe import Recipe
from ratchet.sight.families import gauge, gauges, one_of
from ratchet.sight.runs import NUM_RUNS, Tells, has_ended
from ratchet.steps import STEPS

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Judged:
    """What the gate said in one run; `checks` are core.checks.CheckResult as plain data."""

    verdict: str
    checks: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ReleaseFacts:
    """`judged`: runs that came to the gate, newest first. `seconds`: what the newest run itself did, by step.

    `money` is in `currency`; None without prices in ratchet.toml.
    """

    line: str
    judged: Sequence[Judged]
    seconds: Mapping[str, float]
    currency: str = ""
    money: float | None = None


@dataclass
class Releases:
    """Remembers what ended runs said: it does not change."""

    airflow: Tells
    store: Store
    settings: Settings
    recipe: Recipe
    _ended: dict[str, Judged | None] = field(default_factory=dict)

    @property
    def dag_id(self) -> str:
        return f"release_{self.recipe.line}"

    def gather(self) -> ReleaseFacts:
        runs = self.airflow.runs(self.dag_id, NUM_RUNS) if self.airflow.knows(self.dag_id) else []
        told = [self._judged(run["dag_run_id"], has_ended(run)) for run in runs]
        seconds = _by_step(self._done(runs[0]["dag_run_id"])) if runs else {}
        rates = rates_of(self.recipe, self.settings)
        return ReleaseFacts(
            self.recipe.line,
            [judged for judged in told if judged],
            seconds,
            currency=rates.currency if rates else "",
            money=_money(seconds, rates) if rates else None,
        )

    def _judged(self, run_id: str, ended: bool) -> Judged | None:
        if run_id not in self._ended:
            verdict = self.airflow.output(self.dag_id, run_id, "gate", "verdict")
            checks = self.airflow.output(self.dag_id, run_id, "gate", "checks") if verdict else ()
            judged = Judged(verdict, checks or ()) if verdict else None
            if not ended:
                return judged
            self._ended[run_id] = judged
        return self._ended[run_id]

    def _done(self, run_id: str) -> list[Manifest]:
        """The work that this run did itself: what is older than its resolve was found."""
        found = []
        for task in self.airflow.tasks(self.dag_id, run_id):
            step = step_of(task.task_id)
            key = step and self.airflow.output(self.dag_id, run_id, task.task_id, MANIFEST_KEY)
            if step and key and (manifest := manifests.find(self.store, step, key)):
                found.append(manifest)
        began = next((done.started_at for done in found if done.step == "resolve"), None)
        return [done for done in found if began and done.started_at >= began]


def _money(seconds: Mapping[str, float], rates: Rates) -> float:
    return sum(spent / _SECONDS_PER_HOUR * rates.steps[step].per_hour for step, spent in seconds.items())


def _by_step(work: Sequence[Manifest]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for done in work:
        seconds[done.step] = seconds.get(done.step, 0.0) + done.wall_seconds
    return seconds


def families(facts: ReleaseFacts) -> list[Metric]:
    line, newest = facts.line, facts.judged[0] if facts.judged else None
    # A slice's name comes from the data, so there may be many, and others next week.
    checks = [check for check in (newest.checks if newest else ()) if not check.get("slice_name")]
    return [
        gauges(
            line,
            "ratchet_gate_verdict",
            "What the gate last said: 1 for the verdict that it was.",
            ("verdict",),
            one_of(VERDICTS, newest.verdict) if newest else {},
        ),
        gauge(
            line,
            "ratchet_gate_not_passed_in_a_row",
            "How many of the newest verdicts were not PASS, up to the last one that was.",
            float(len(list(takewhile(lambda judged: judged.verdict != "PASS", facts.judged)))),
        ),
        *(
            gauges(
                line,
                f"ratchet_gate_check_{name}",
                text,
                ("check",),
                {(check["name"],): check.get(told) for check in checks},
            )
            for name, told, text in CHECK
        ),
        gauges(
            line,
            "ratchet_run_step_seconds",
            "Time that the newest release run spent in each step; what it found again is not counted.",
            ("step",),
            {(step,): seconds for step, seconds in facts.seconds.items()},
        ),
        gauges(
            line,
            "ratchet_run_cost",
            "What the time of the newest release run's steps cost so far; the whole is told when it has ended.",
            ("currency",),
            {(facts.currency,): facts.money},
        ),
    ]


# Metric, field of core.checks.CheckResult, meaning; all in the check's own units.
CHECK = (
    ("effect", "effect", "Candidate minus baseline."),
    ("low", "low", "Lower bound of what the check judges: the effect, or for a floor the candidate's score."),
    ("high", "high", "Upper bound of the same."),
    ("threshold", "threshold", "What the bounds are compared with."),
    ("samples", "num_samples", "How many samples were measured."),
)


def step_of(task_id: str) -> str | None:
    """evaluate_baseline → evaluate; None for a task that is no step."""
    return next((step for step in STEPS if task_id == step or task_id.startswith(f"{step}_")), None)
