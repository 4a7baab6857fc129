"""Read what is live and what is new, mend what a crash left behind, and name the release that follows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ratchet.clients.registry import follow_ledger
from ratchet.clients.settle import settle
from ratchet.clients.tracking import tell_missed_runs
from ratchet.clients.world import World
from ratchet.core.budget import hold, spent_in_month, why_over
from ratchet.core.contract import digest_json
from ratchet.core.costs import Forecast
from ratchet.core.datasets import DatasetVersion
from ratchet.core.errors import NothingToDo, NotSetUp
from ratchet.core.forecast import forecast, said
from ratchet.core.log import log
from ratchet.core.refs import FolderRef
from ratchet.core.releases import Evidence, LedgerEvent, Production, last_decision, production
from ratchet.resolve.contract import ResolveInputs, ResolveOutputs
from ratchet.resolve.new_rows import count_forgotten, count_new_rows


def run(inputs: ResolveInputs, world: World) -> ResolveOutputs:
    settle(world, inputs.line)
    events = world.ledger(inputs.line).events()
    baseline = production(events)
    if baseline is None:
        raise NotSetUp(f"{inputs.line} has no production yet: run `ratchet up`, which releases the base model")
    follow_ledger(world.registry, inputs.line, events)
    tell_missed_runs(world.store, world.registry, inputs.line)
    versions = world.datasets(inputs.dataset).records()
    if not versions:
        raise NothingToDo(f"dataset {inputs.dataset} is empty: submit data first, `ratchet submit FILE`")
    newest = versions[-1]
    changed = _changed(world, versions, baseline)
    num_new_rows = changed.num_new
    if num_new_rows < inputs.min_new_examples and not changed.num_forgotten:
        raise NothingToDo(
            f"{num_new_rows} of the {newest.num_rows} rows of {inputs.dataset} are new to {baseline.release_id}; "
            f"the recipe wants at least {inputs.min_new_examples}: submit more data, or lower min_new_examples"
        )
    made_by = _evidence_of(events, baseline)
    release_id = _release_id(inputs, baseline, newest)
    return ResolveOutputs(
        release_id=release_id,
        recipe_sha256=inputs.recipe_sha256,
        rows=newest.rows,
        receipt=newest.receipt,
        base=_base(world, inputs.base),
        baseline=baseline.model,
        baseline_release_id=baseline.release_id,
        baseline_recipe_sha256=made_by.recipe_sha256 if made_by else "",
        baseline_record_sha256=made_by.report_sha256 if made_by else "",
        baseline_is_bootstrap=baseline.is_bootstrap,
        num_rows=newest.num_rows,
        num_quarantined=newest.num_quarantined,
        num_new_rows=num_new_rows,
        forecast=_affordable(inputs, world, release_id, newest.num_rows),
    )


def _affordable(inputs: ResolveInputs, world: World, release_id: str, num_rows: int) -> Forecast:
    """What the release will take. Raises OverBudget, before anything of it has begun."""
    records = world.costs(inputs.line).records()
    foreseen = forecast(records, num_rows, inputs.grows_with_rows, release_id)
    log.info("foreseen", extra={"release": release_id, "cost": said(foreseen, inputs.rates)})
    if inputs.budget and inputs.rates:
        spent = spent_in_month(records, datetime.now(UTC))
        why = why_over(inputs.budget, foreseen, spent, inputs.rates)
        hold(why, inputs.over_budget)
        if why:
            log.warning("over budget", extra={"release": release_id, "why": why, "reason": inputs.over_budget})
    return foreseen


def _evidence_of(events: Sequence[LedgerEvent], release: Production) -> Evidence | None:
    """What its approval bound; nobody approved the untuned base."""
    decision = last_decision(events, release.release_id)
    return decision.evidence if decision else None


def _release_id(inputs: ResolveInputs, baseline: Production, dataset: DatasetVersion) -> str:
    parts = {
        "baseline": baseline.model.sha256,
        "dataset": dataset.rows.sha256,
        "recipe": inputs.recipe_sha256,
    }
    return f"{inputs.line}-{digest_json(parts)[:12]}"


@dataclass(frozen=True)
class _Changed:
    """Rows that production was not tuned on, and rows that it was tuned on and must forget."""

    num_new: int
    num_forgotten: int = 0


def _changed(world: World, versions: Sequence[DatasetVersion], baseline: Production) -> _Changed:
    newest = versions[-1]
    if baseline.dataset_sha256 == newest.rows.sha256:
        return _Changed(0)
    tuned_on = next((version for version in versions if version.rows.sha256 == baseline.dataset_sha256), None)
    if tuned_on is None:
        if not baseline.is_bootstrap:
            log.warning(
                "production was tuned on another dataset, so every row counts as new",
                extra={"dataset": newest.dataset, "release": baseline.release_id},
            )
        return _Changed(newest.num_rows)
    with world.scratch() as folder:
        rows = world.store.fetch_file(newest.rows, folder / "rows.jsonl")
        before = world.store.fetch_file(tuned_on.rows, folder / "tuned_on.jsonl")
        digests = json.loads(world.store.read_bytes(newest.forgotten)) if newest.forgotten else ()
        return _Changed(count_new_rows(rows, before), count_forgotten(before, frozenset(digests)))


def _base(world: World, name: str) -> FolderRef:
    base = world.base(name)
    if base is None:
        raise NotSetUp(f"the store has no base model named {name!r}: run `ratchet up`")
    return base
