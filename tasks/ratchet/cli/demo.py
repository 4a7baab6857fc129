"""`ratchet demo`: one whole release, watched, approved and explained."""

import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ratchet.cli import release, show
from ratchet.cli.submit import Upload, submit
from ratchet.cli.watch import Run, follow
from ratchet.clients.airflow import Airflow
from ratchet.clients.settings import Settings
from ratchet.clients.world import World
from ratchet.core.checks import CheckResult, worth_showing
from ratchet.core.errors import TerminalError
from ratchet.gate.contract import GateOutputs
from ratchet.local import sample
from ratchet.local.bring_up import bring_up
from ratchet.recipes.recipe import Recipe

SAMPLE_TEXT = "I was charged twice for my order and want my money back"


def run(settings: Settings, config: Path, recipe: Recipe, upload: Upload | None, console: Console) -> None:
    """Raises TerminalError when the release does not end in production."""
    began = time.monotonic()
    _chapter(console, 1, "the platform")
    bring_up(settings, config, recipe, console)

    _chapter(console, 2, "the data")
    upload = upload or sample_upload(settings)
    submit(settings, config, recipe, upload, console)
    world = World(settings, settings.scratch)

    _chapter(console, 3, f"the release: release_{recipe.line} in Airflow")
    airflow = release.airflow_of(settings, "engineer")
    wait_for_dag(airflow, f"release_{recipe.line}")
    if going := release.unfinished(airflow, f"release_{recipe.line}"):
        raise TerminalError(
            f"run {going} is not finished and may wait for approval: see `ratchet retrain`, which follows it, then "
            "`ratchet approve` or `ratchet reject`; then run the demo again"
        )
    started = Run(f"release_{recipe.line}", release.start(airflow, f"release_{recipe.line}"))

    def approve() -> None:
        manager = release.airflow_of(settings, "release-manager")
        waiting = release.find_waiting(manager, started.dag_id, None)
        manager.answer(started.dag_id, waiting.run_id, release.APPROVE, "approved by `ratchet demo`")

    state = follow(airflow, started, console, on_approval=approve)
    show.outcome(airflow, started, state, console)
    closing(settings, world, recipe, airflow, started, console, time.monotonic() - began)
    if airflow.output(started.dag_id, started.run_id, "bake", "verdict") != "PASS":
        raise TerminalError("the release did not go live; what came out is above, each task's log is in Airflow")


def sample_upload(settings: Settings) -> Upload:
    path = settings.state / "sample" / "support_tickets.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    sample.generate(path)
    return Upload(path)


def wait_for_dag(airflow: Airflow, dag_id: str, timeout_seconds: float = 120.0) -> None:
    """A platform that just started needs a moment to parse its DAGs."""
    deadline = time.monotonic() + timeout_seconds
    while not airflow.knows(dag_id):
        if time.monotonic() > deadline:
            raise TerminalError(
                f"Airflow has no DAG {dag_id}: see its import errors and .ratchet/logs/airflow-dag-processor.log"
            )
        time.sleep(1.0)


def closing(
    settings: Settings, world: World, recipe: Recipe, airflow: Airflow, run: Run, console: Console, seconds: float
) -> None:
    """The decision, where things are, what each step took, what to try next."""
    _chapter(console, 4, "what came out")
    verdict = airflow.output(run.dag_id, run.run_id, "gate", "verdict")
    if verdict:
        checks = airflow.output(run.dag_id, run.run_id, "gate", "checks")
        decision(GateOutputs.model_validate({"verdict": verdict, "checks": checks}), console)
    _times(airflow, run, console)
    release_id = airflow.output(run.dag_id, run.run_id, "resolve", "release_id")
    if airflow.output(run.dag_id, run.run_id, "report", "page"):
        page = release.write_page(settings, world.store, release.find_report(world.store, release_id))
        console.print(f"\ndecision report  {page.as_uri()}", soft_wrap=True)
    show.addresses(settings, recipe, console)
    console.print(f"whole demo       {seconds:.0f} s\n\nask the model:\n")
    console.print(show.curl(settings, recipe, SAMPLE_TEXT), soft_wrap=True, markup=False)
    console.print(
        "\nwhat to try next:\n"
        "  ratchet retrain            # no new data: ends green, skipped\n"
        "  ratchet rollback           # the previous model is back in under a second\n"
        "  ratchet status             # what runs, what is in production\n"
        "  make demo DATA=file.csv    # your own labelled texts\n"
        "  make down                  # stop; nothing is lost",
        markup=False,
    )


def decision(gate: GateOutputs, console: Console) -> None:
    table = Table(title=f"gate: {gate.verdict}", box=None, pad_edge=False, title_justify="left")
    for heading in ("check", "verdict", "before", "after", "effect", "95 % bounds", "n"):
        table.add_column(heading, justify="left" if heading in ("check", "verdict") else "right")
    for check in worth_showing(gate.checks):
        table.add_row(
            *(check.name, check.verdict, _number(check.baseline), _number(check.candidate), _number(check.effect)),
            _bounds(check),
            f"{check.num_samples} of {check.num_planned}",
        )
    console.print(table)
    if slices := [check for check in gate.checks if check.guards]:
        num_failed = sum(check.verdict == "FAIL" for check in slices)
        console.print(f"and {len(slices)} slices, of which {num_failed or 'none'} got provably worse")


def _times(airflow: Airflow, run: Run, console: Console) -> None:
    table = Table(title="\ntime per step", box=None, pad_edge=False, title_justify="left")
    table.add_column("step")
    table.add_column("seconds", justify="right")
    tasks = [task for task in airflow.tasks(run.dag_id, run.run_id) if task.start_date]
    for task in sorted(tasks, key=lambda task: str(task.start_date)):
        table.add_row(task.task_id, f"{task.duration or 0:.1f}")
    console.print(table)


def _bounds(check: CheckResult) -> str:
    return "" if check.low is None or check.high is None else f"{check.low:+.3f} … {check.high:+.3f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _chapter(console: Console, number: int, title: str) -> None:
    console.rule(f"[bold]{number}. {title}", align="left")
