"""What a release will take and cost, learned from the last ones of its line."""

from collections.abc import Sequence
from statistics import median

from ratchet.core.amounts import duration, money
from ratchet.core.costs import CostRecord, Forecast, Rates, TaskDone, newest_of_each_run, run_cost

NUM_RELEASES = 5  # enough that one odd release does not move the median, few enough that it follows the line


def forecast(
    records: Sequence[CostRecord], num_rows: int, grows: Sequence[str] = (), release_id: str | None = None
) -> Forecast:
    """The median of each task over the last releases that came to it; a whole release, up to its end in production.

    Args:
        num_rows: of the dataset version to come. The seconds of the steps in `grows` are scaled to it.
        release_id: which release it will be, if known: what an earlier run of it did is found and takes nothing.
    """
    runs = newest_of_each_run(records)
    known = {run.release_id for run in runs if run.release_id != release_id}
    newest_first = dict.fromkeys(run.release_id for run in reversed(runs) if run.release_id in known)
    releases = [[run for run in runs if run.release_id == name] for name in list(newest_first)[:NUM_RELEASES]]
    if not releases:
        return Forecast()
    found = {task.task for run in runs if run.release_id == release_id for task in run.tasks if not task.acts}
    names = dict.fromkeys(task.task for release in releases for run in release for task in run.tasks)
    overlaps = [sum(run.overlap_seconds for run in release) for release in releases]
    return Forecast(
        num_releases=len(releases),
        tasks=tuple(_task(name, releases, num_rows, grows, found=name in found) for name in names),
        overlap_seconds=_middle([seconds for seconds in overlaps if seconds]),
    )


def forecast_cost(foreseen: Forecast, rates: Rates) -> float:
    """In `rates.currency`, over all kinds that have a price."""
    return sum(run_cost(foreseen.tasks, foreseen.overlap_seconds, rates).values())


def said(foreseen: Forecast, rates: Rates | None) -> str:
    """E.g. "about 7 min of steps, about 0.01 EUR, from the last 3 releases"."""
    if not foreseen.num_releases:
        return "no forecast: first release"
    cost = [f"about {money(forecast_cost(foreseen, rates), rates.currency)}"] if rates else []
    source = "the last release" if foreseen.num_releases == 1 else f"the last {foreseen.num_releases} releases"
    return ", ".join([f"about {duration(foreseen.seconds)} of steps", *cost, f"from {source}"])


def _task(
    name: str, releases: Sequence[Sequence[CostRecord]], num_rows: int, grows: Sequence[str], found: bool
) -> TaskDone:
    came_to_it = [done for release in releases if (done := _scaled(name, release, num_rows, grows))]
    like = came_to_it[0][0]
    if found:
        return like.model_copy(update={"was_found": True, "seconds": 0.0, "new_bytes": 0})
    seconds = _middle([sum(task.seconds for task in done) for done in came_to_it])
    new_bytes = round(_middle([sum(task.new_bytes for task in done) for done in came_to_it]))
    return like.model_copy(update={"was_found": False, "seconds": seconds, "new_bytes": new_bytes})


def _scaled(name: str, release: Sequence[CostRecord], num_rows: int, grows: Sequence[str]) -> list[TaskDone]:
    """What each run of a release took for that task, as if it had been about so many rows."""
    return [
        task.model_copy(update={"seconds": task.seconds * num_rows / run.num_rows})
        if task.step in grows and run.num_rows
        else task
        for run in release
        for task in run.tasks
        if task.task == name
    ]


def _middle(values: Sequence[float]) -> float:
    return median(values) if values else 0.0
