"""Every source of this platform's metrics, by name."""

from datetime import UTC, datetime
from itertools import pairwise

from croniter import croniter

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.recipes.recipe import Recipe
from ratchet.sight import datasets, drills, ledger, router, work
from ratchet.sight.collector import Source

# Old enough that Prometheus, which asks every 15 to 60 s, does not make the store read its journals each time.
JOURNAL_SECONDS = 30.0


def sources(settings: Settings, recipe: Recipe) -> list[Source]:
    """One for each of arguments.NAMES."""
    line = recipe.line
    kept = datasets.Datasets(_world(settings), line, recipe.dataset)
    records = work.Work(_world(settings).store, line)
    return [
        Source("ledger", lambda: ledger.families(_ledger(settings, recipe)), JOURNAL_SECONDS),
        Source("router", lambda: router.families(router.gather(_world(settings), line))),
        Source("drills", lambda: drills.families(_drills(settings, recipe)), JOURNAL_SECONDS),
        Source("datasets", lambda: datasets.families(kept.gather()), JOURNAL_SECONDS),
        Source("work", lambda: work.families(records.gather()), JOURNAL_SECONDS),
    ]


def period_seconds(schedule: str, now: datetime) -> float:
    """The longest wait between two of the next ten times of a cron expression."""
    times = croniter(schedule, now)
    at = [times.get_next(float) for _ in range(10)]
    return float(max(later - earlier for earlier, later in pairwise(at)))


def _world(settings: Settings) -> World:
    """A new one for each look: clients are not made for many threads at once."""
    return World(settings, settings.scratch)


def _ledger(settings: Settings, recipe: Recipe) -> ledger.LedgerFacts:
    now = datetime.now(UTC)
    period, patience = period_seconds(recipe.schedule, now), recipe.approval_escalation_hours * 3600
    return ledger.gather(_world(settings), recipe.line, now, period, patience)


def _drills(settings: Settings, recipe: Recipe) -> drills.DrillFacts:
    period = period_seconds(recipe.drill_schedule, datetime.now(UTC))
    return drills.gather(_world(settings), recipe.line, period)
