"""Every source of this platform's metrics, by name."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pynvml
from croniter import croniter
from prometheus_client.metrics_core import Metric

from ratchet.clients.airflow import Airflow
from ratchet.clients.engine import COLOURS
from ratchet.clients.settings import LOOPBACK, Settings
from ratchet.clients.world import World
from ratchet.core.releases import Colour
from ratchet.recipes.recipe import Recipe
from ratchet.serving.feedback.inbox import inbox_of
from ratchet.sight import (
    costs,
    datasets,
    drifts,
    drills,
    edge,
    edge_pods,
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
from ratchet.sight.collector import Source

# How old an answer may be. Of a bucket every look lists each journal, and reads what is new in it.
LOCAL_SECONDS, BUCKET_SECONDS = 30.0, 300.0
# Of what asks the engine and the edge for a token each; of all feedback, which is read whole; of Airflow's many small
# answers.
PRODUCTION_SECONDS, FEEDBACK_SECONDS, RELEASES_SECONDS = 60.0, 60.0, 30.0


def sources(settings: Settings, recipe: Recipe) -> list[Source]:
    """One for each of arguments.NAMES."""
    return [*_journals(settings, recipe), *_services(settings, recipe)]


def period_seconds(schedule: str, now: datetime) -> float:
    """The longest wait between two of the next ten times of a cron expression."""
    times = croniter(schedule, now)
    at = [times.get_next(float) for _ in range(10)]
    return float(max(later - earlier for earlier, later in pairwise(at)))


def _journals(settings: Settings, recipe: Recipe) -> list[Source]:
    """What is in the store. Each source has a world of its own, which keeps the records that it has read."""
    line = recipe.line
    uploads = datasets.Datasets(_world(settings), line, recipe.dataset)
    records = work.Work(_world(settings).store, line)
    of_ledger, of_drills, of_drifts, of_quality, of_costs, of_feedback = (_world(settings) for _ in range(6))
    currency = settings.costs.currency if settings.costs else ""
    age = _store_seconds(settings)

    def spent() -> Sequence[Metric]:
        return costs.families(costs.gather(of_costs, line, datetime.now(UTC), currency, recipe.budget))

    def said() -> Sequence[Metric]:
        return feedback.families(feedback.gather(of_feedback, line, inbox_of(settings)))

    return [
        Source("ledger", lambda: ledger.families(_ledger(of_ledger, recipe)), age),
        Source("drills", lambda: drills.families(_drills(of_drills, recipe)), age),
        Source("datasets", lambda: datasets.families(uploads.gather()), age),
        Source("work", lambda: work.families(records.gather()), age),
        Source("drifts", lambda: drifts.families(drifts.gather(of_drifts, line)), age),
        Source("quality", lambda: quality.families(quality.gather(of_quality, line)), age),
        Source("costs", spent, age),
        Source("feedback", said, max(age, FEEDBACK_SECONDS)),
    ]


def _services(settings: Settings, recipe: Recipe) -> list[Source]:
    """What has to be up to be asked."""
    line = recipe.line
    newest = releases.Releases(_airflow(settings), _world(settings).store, settings, recipe)
    every_dag = _airflow(settings)
    of_production = _world(settings)

    def seen() -> Sequence[Metric]:
        return production.families(production.gather(of_production, settings, line))

    return [
        Source("router", lambda: router.families(router.gather(_world(settings), line))),
        Source("production", seen, max(PRODUCTION_SECONDS, _store_seconds(settings))),
        Source("registry", lambda: registry.families(registry.gather(settings, line)), PRODUCTION_SECONDS),
        Source("airflow", lambda: runs.families(runs.gather(every_dag, line))),
        Source("releases", lambda: releases.families(newest.gather()), RELEASES_SECONDS),
        Source("edge", lambda: edge.families(_requests(settings, line))),
        Source("gpus", lambda: gpus.families(gpus.gather(line, pynvml))),
        *(Source(f"engine_{colour}", _engine(settings, line, colour)) for colour in COLOURS),
    ]


def _requests(settings: Settings, line: str) -> edge.EdgeFacts:
    if settings.runtime == "kubernetes":
        return edge_pods.gather(_world(settings), line)
    return edge.gather(_world(settings), line, settings.ports)


def _store_seconds(settings: Settings) -> float:
    return BUCKET_SECONDS if settings.store.kind == "s3" else LOCAL_SECONDS


def _engine(settings: Settings, line: str, colour: Colour) -> Callable[[], Sequence[Metric]]:
    return lambda: engines.families(engines.gather(_world(settings), line, colour))


def _world(settings: Settings) -> World:
    """One for each source, which is read in one thread at a time: clients are not made for many at once."""
    return World(settings, settings.scratch)


def _airflow(settings: Settings) -> Airflow:
    passwords = settings.secrets / "airflow_passwords.json"
    return Airflow(f"http://{LOOPBACK}:{settings.ports.airflow}", "engineer", passwords)


def _ledger(world: World, recipe: Recipe) -> ledger.LedgerFacts:
    now = datetime.now(UTC)
    period, patience = period_seconds(recipe.schedule, now), recipe.approval_escalation_hours * 3600
    return ledger.gather(world, recipe.line, now, period, patience)


def _drills(world: World, recipe: Recipe) -> drills.DrillFacts:
    period = period_seconds(recipe.drill_schedule, datetime.now(UTC))
    return drills.gather(world, recipe.line, period)
