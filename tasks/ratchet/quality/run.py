"""quality: count, join and ask, judge against what was before, and record it. It changes nothing that serves."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from ratchet.clients.approved import approved_report
from ratchet.clients.captured import Exchange, exchanges
from ratchet.clients.key_file import read_key
from ratchet.clients.labels import labels
from ratchet.clients.moderation import moderator_of
from ratchet.clients.prometheus import Prometheus
from ratchet.clients.world import World
from ratchet.core.errors import NothingToDo
from ratchet.core.log import log
from ratchet.core.quality import Agreement, Kpi, KpiValue, Quality, Share, days_of, in_words, judged, until
from ratchet.core.releases import LedgerEvent, Production, approved_on, production
from ratchet.quality.contract import QualityInputs, QualityOutputs
from ratchet.quality.guards import counted
from ratchet.quality.kpis import kpi_value
from ratchet.quality.truth import labelled_days, measured

# Whole days, so that a day of few is no news of its own; and enough texts for a share to say something.
LIVE_DAYS = 7
MIN_TEXTS = 100
PROMETHEUS_KEY = "prometheus_key"  # in the secrets folder, where the server wants one


class NothingToJudge(NothingToDo, LookupError):
    """Nothing is known of what production answers."""


def run(inputs: QualityInputs, world: World) -> QualityOutputs:
    events = world.ledger(inputs.line).events()
    live = production(events)
    if live is None:
        raise NothingToJudge(f"{inputs.line} has nothing in production yet: run `ratchet up`")
    now = datetime.now(UTC)
    journal = world.quality(inputs.line)
    look = _look(inputs, world, live, events, journal.records(), now)
    recorded = journal.append(lambda before: None if _is_there(look, before) else look) or journal.records()[-1]
    for sentence in in_words(recorded):
        log.info("looked at", extra={"what": sentence})
    return QualityOutputs(
        seq=recorded.seq, release_id=recorded.release_id, num_texts=recorded.num_texts, worse=recorded.worse
    )


def _look(
    inputs: QualityInputs,
    world: World,
    live: Production,
    events: Sequence[LedgerEvent],
    before: Sequence[Quality],
    now: datetime,
) -> Quality:
    """Raises NothingToJudge."""
    last_day = now.date() - timedelta(days=1)
    first_day = last_day - timedelta(days=LIVE_DAYS - 1)
    kept = [
        one for one in exchanges(world.settings.capture_dir, date.min, now.date()) if one.release == live.release_id
    ]
    recent = [one for one in kept if one.day and first_day <= one.day <= last_day]
    look = Quality(
        line=inputs.line,
        at=now,
        release_id=live.release_id,
        first_day=first_day,
        last_day=last_day,
        num_texts=len(recent),
        shares=_shares(inputs, world, live, recent, until(last_day, before)),
        agreement=_agreement(inputs, world, live, events, kept, before),
        kpis=_kpis(inputs.kpis, world, live.release_id),
    )
    if not (look.shares or look.agreement or look.kpis):
        raise NothingToJudge(
            f"{len(recent)} answers of {live.release_id} were kept from {first_day} to {last_day}, expected at least "
            f"{MIN_TEXTS}; no truth came for any, and the recipe names no KPI. [edge] capture_share of ratchet.toml is "
            f"{world.settings.edge.capture_share:g} (docs/quality.md)"
        )
    return look


def _shares(
    inputs: QualityInputs, world: World, live: Production, recent: Sequence[Exchange], before: Sequence[Quality]
) -> tuple[Share, ...]:
    if len(recent) < MIN_TEXTS:
        return ()
    counts = counted(recent, moderator_of(inputs.toxicity, world.settings.secrets))
    return judged(counts, len(recent), live.release_id, before)


def _agreement(
    inputs: QualityInputs,
    world: World,
    live: Production,
    events: Sequence[LedgerEvent],
    kept: Sequence[Exchange],
    before: Sequence[Quality],
) -> Agreement | None:
    days = days_of(live.release_id, labelled_days(kept, labels(world.settings.labels_dir)), before)
    if not days:
        return None
    record_sha256 = approved_on(events, live.release_id, live.model.sha256)
    return Agreement(days=days, gate=measured(approved_report(world.store, record_sha256), inputs.task))


def _kpis(kpis: Sequence[Kpi], world: World, release_id: str) -> tuple[KpiValue, ...]:
    """Nobody is asked while ratchet.toml names no Prometheus: a laptop has none."""
    url = world.settings.prometheus.url
    if not url:
        if kpis:
            log.warning("the recipe's KPIs are not asked for: ratchet.toml names no [prometheus] url")
        return ()
    server = Prometheus(url, read_key(world.settings.secrets / PROMETHEUS_KEY))
    window = f"{LIVE_DAYS}d"
    return tuple(
        KpiValue(
            name=kpi.name,
            better=kpi.better,
            limit=kpi.limit,
            value=kpi_value(server, kpi.name, kpi.query.replace("$release", release_id).replace("$window", window)),
        )
        for kpi in kpis
    )


def _is_there(look: Quality, before: Sequence[Quality]) -> bool:
    """A retry that finds what its killed attempt has recorded."""
    known = {"seq", "at"}
    return bool(before) and before[-1].model_dump(exclude=known) == look.model_dump(exclude=known)
