"""Every source of this platform's metrics, by name."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from croniter import croniter
from prometheus_client.metrics_core import Metric

from ratchet.clients.airflow import Airflow
from ratchet.clients.engine import COLOURS
from ratchet.clients.settings import LOOPBACK, Settings
from ratchet.clients.world import World
from ratchet.core.releases import Colour
from ratchet.recipes.recipe import Recipe
from ratchet.sight import (
    datasets,
    drills,
    edge,
    edge_pods,
    engines,
    ledger,
    production,
    registry,
    releases,
    router,
    runs,
    work,
)
from ratchet.sight.collector import Source

# How old an answer may be. Every look reads each record of the journals, and of a bucket each costs a request.
LOCAL_SECONDS, BUCKET_SECONDS = 30.0, 300.0
# Of what asks the engine and the edge for a token each, and of Airflow's many small answers.
PRODUCTION_SECONDS, RELEASES_SECONDS = 60.0, 30.0


def sources(settings: Settings, recipe: Recipe) -> list[Source]:
    """One for each of arguments.NAMES."""
    return [*_journals(settings, recipe), *_services(settings, recipe)]


def period_seconds(schedule: str, now: datetime) -> float:
    """The longest wait between two of the next ten times of a cron expression."""
    times = croniter(schedule, now)
    at = [times.get_next(float) for _ in range(10)]
    return float(max(later - earlier for earlier, later in pairwise(at)))


def _journals(settings: Settings, recipe: Recipe) -> list[Source]:
    """What is in the store."""
    line = recipe.line
    uploads = datasets.Datasets(_world(settings), line, recipe.dataset)
    records = work.Work(_world(settings).store, line)
    age = _store_seconds(settings)
    return [
        Source("ledger", lambda: ledger.families(_ledger(settings, recipe)), age),
        Source("drills", lambda: drills.families(_drills(settings, recipe)), age),
        Source("datasets", lambda: datasets.families(uploads.gather()), age),
        Source("work", lambda: work.families(records.gather()), age),
    ]


def _services(settings: Settings, recipe: Recipe) -> list[Source]:
    """What has to be up to be asked."""
    line = recipe.line
    newest = releases.Releases(_airflow(settings), _world(settings).store, settings, recipe)
    every_dag = _airflow(settings)

    def seen() -> Sequence[Metric]:
        return production.families(production.gather(_world(settings), settings, line))

    return [
        Source("router", lambda: router.families(router.gather(_world(settings), line))),
        Source("production", seen, max(PRODUCTION_SECONDS, _store_seconds(settings))),
        Source("registry", lambda: registry.families(registry.gather(settings, line)), PRODUCTION_SECONDS),
        Source("airflow", lambda: runs.families(runs.gather(every_dag, line))),
        Source("releases", lambda: releases.families(newest.gather()), RELEASES_SECONDS),
        Source("edge", lambda: edge.families(_requests(settings, line))),
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
    """A new one for each look: clients are not made for many threads at once."""
    return World(settings, settings.scratch)


def _airflow(settings: Settings) -> Airflow:
    passwords = settings.secrets / "airflow_passwords.json"
    return Airflow(f"http://{LOOPBACK}:{settings.ports.airflow}", "engineer", passwords)


def _ledger(settings: Settings, recipe: Recipe) -> ledger.LedgerFacts:
    now = datetime.now(UTC)
    period, patience = period_seconds(recipe.schedule, now), recipe.approval_escalation_hours * 3600
    return ledger.gather(_world(settings), recipe.line, now, period, patience)


def _drills(settings: Settings, recipe: Recipe) -> drills.DrillFacts:
    period = period_seconds(recipe.drill_schedule, datetime.now(UTC))
    return drills.gather(_world(settings), recipe.line, period)
