"""What a release will cost, before it is started, and what the last ones did cost."""

from rich.console import Console
from rich.table import Table

from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.amounts import duration, money
from ratchet.core.costs import CostRecord, newest_of_each_run, run_cost
from ratchet.core.errors import TerminalError
from ratchet.core.forecast import forecast, said
from ratchet.recipes.rates import held_budget, rates_of
from ratchet.recipes.recipe import Recipe

NO_PRICES = "no money is told: ratchet.toml sets no prices ([costs] in docs/settings.md)"


def tell_forecast(world: World, recipe: Recipe, console: Console) -> None:
    """Of a new release of the newest dataset version. Resolve, which names it, knows what of it was done before."""
    versions = world.datasets(recipe.dataset).records()
    if versions:
        foreseen = forecast(world.costs(recipe.line).records(), versions[-1].num_rows, recipe.grows_with_rows)
        console.print(f"forecast: {said(foreseen, rates_of(recipe, world.settings))}", soft_wrap=True)
    held_budget(recipe, world.settings)  # says so where it is not held


def reason_to_start(over_budget: bool, reason: str) -> str:
    """Why the run may cost more than its budget; empty where it may not. Raises TerminalError."""
    if over_budget and not reason.strip():
        raise TerminalError('--over-budget needs a reason, which is kept with the cost of the run: --reason "…"')
    if reason.strip() and not over_budget:
        raise TerminalError("--reason says why a release may cost more than its budget: give --over-budget too")
    return reason.strip()


def show(settings: Settings, world: World, recipe: Recipe, num_rows: int, console: Console) -> None:
    """The newest runs, oldest first."""
    runs = newest_of_each_run(world.costs(recipe.line).records())
    if not runs:
        console.print("no run has ended yet: `ratchet retrain` starts one")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("began (UTC)", "release", "steps", "foreseen", "cost", "of this"):
        table.add_column(heading)
    for run in runs[-num_rows:] if num_rows else runs:
        table.add_row(*_row(run))
    console.print(table)
    if settings.costs is None:
        console.print(NO_PRICES)


def _row(run: CostRecord) -> tuple[str, ...]:
    foreseen = duration(run.forecast.seconds) if run.forecast.num_releases else "–"
    took = duration(sum(task.seconds for task in run.tasks))
    when = f"{run.at:%Y-%m-%d %H:%M}"
    if run.rates is None:
        return (when, run.release_id, took, foreseen, "", "")
    parts, currency = run_cost(run.tasks, run.overlap_seconds, run.rates), run.rates.currency
    total = money(sum(parts.values()), currency) + (" (over budget allowed)" if run.over_budget else "")
    return (
        when,
        run.release_id,
        took,
        foreseen,
        total,
        ", ".join(f"{kind} {cost:.2f}" for kind, cost in parts.items()),
    )
