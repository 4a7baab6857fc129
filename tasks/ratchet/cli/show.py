"""What the verbs print."""

import json
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ratchet.cli.watch import Run
from ratchet.clients.airflow import Airflow, TaskState
from ratchet.clients.edge_keys import read_keys
from ratchet.clients.files import replace_file
from ratchet.clients.kubernetes_engine import KubernetesVllm
from ratchet.clients.manifests import last_failure as last_failure_of
from ratchet.clients.settings import Settings
from ratchet.clients.supervisor import ProgramState
from ratchet.clients.world import World
from ratchet.core.chat import fill
from ratchet.core.drift import Distance, in_words
from ratchet.core.errors import EXIT_NOTHING_TO_DO
from ratchet.core.readable import printable, readable_line
from ratchet.core.refs import FileRef
from ratchet.core.releases import production as production_of
from ratchet.intake.embedding import embedding_of
from ratchet.intake.settle import as_json, ending_of, told_of
from ratchet.intake.versions import Added, Refused
from ratchet.local import platform
from ratchet.recipes.recipe import Recipe
from ratchet.validate.contract import Changes, Example, ReasonCount, ValidateOutputs
from ratchet.validate.page import render

# Two weekly drills were missed, failed or skipped.
DRILL_OVERDUE_DAYS = 15
FAILURE_FRESH_DAYS = 7
# Of a receipt, so that it stays on one screen; the page has all.
_EXAMPLE_LINES = 12

FINAL = "a retry cannot help"  # orchestration.operator.failure


def quiet(_line: str) -> None:
    """For steps whose log is of no interest when they go well; their errors come back by themselves."""


def readable_to(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(f"  {readable_line(line)}", markup=False, highlight=False)


def services(settings: Settings, world: World, console: Console) -> None:
    states = platform.states(settings)
    if not states:
        console.print("the platform is down; `ratchet up` starts it")
    table = Table(box=None, pad_edge=False)
    for heading in ("service", "state", ""):
        table.add_column(heading)
    states = [*states, *engines_on_cluster(world)]
    for service in states:
        colour = {"running": "green", "stopped": "dim", "starting": "yellow"}.get(service.state, "red")
        table.add_row(service.name, Text(service.state, colour), Text(service.detail))
    if states:
        console.print(table)


def engines_on_cluster(world: World) -> list[ProgramState]:
    engine = world.engine
    return [ProgramState(*told) for told in engine.states()] if isinstance(engine, KubernetesVllm) else []


def addresses(settings: Settings, recipe: Recipe, console: Console) -> None:
    passwords = settings.secrets / "airflow_passwords.json"
    console.print(f"endpoint  {settings.users_url}/v1  (model: {recipe.line})")
    console.print(
        f"Airflow   http://127.0.0.1:{settings.ports.airflow}  (users and passwords: {passwords})", soft_wrap=True
    )
    console.print(f"MLflow    {settings.mlflow_url}")
    console.print(f"metrics   http://127.0.0.1:{settings.ports.exporter}/metrics")


def production(world: World, recipe: Recipe, console: Console) -> None:
    live = production_of(world.ledger(recipe.line).events())
    state = world.router.read()
    if live is None or state is None:
        console.print(f"{recipe.line}: nothing in production yet; `ratchet up` releases the base model")
        return
    console.print(
        f"{recipe.line}: {live.release_id} is in production (model {live.model.sha256[:12]}), on {state.active}"
    )
    if state.previous:
        console.print(f"  `ratchet rollback` goes back to {state.releases[state.previous]}, on {state.previous}")
    if state.models[state.active] != live.model.sha256:
        console.print(f"[red]  the router sends users to {state.releases[state.active]}: not what the ledger says[/]")


def last_drill(world: World, line: str, console: Console) -> None:
    """When a roll-back was last rehearsed with success; failures are red runs of the DAG."""
    drills = world.drills(line).records()
    if not drills:
        console.print(f"  no drill of the way back yet: drill_{line} in Airflow rehearses it every week")
        return
    last = drills[-1]
    days = (datetime.now(UTC) - last.at).days
    console.print(
        f"  last drill that worked: {last.at:%Y-%m-%d %H:%M} UTC, {days} days ago: {last.release_id} on {last.colour} "
        f"{'came up' if last.cold_start else 'answered'} in {last.ready_seconds:.1f} s, the switch takes "
        f"{last.switch_seconds:.3f} s",
        style="yellow" if days > DRILL_OVERDUE_DAYS else None,
        soft_wrap=True,
    )


def last_failure(world: World, console: Console) -> None:
    """The newest failure of a step, while it is fresh: a run that was mended leaves it behind."""
    record = last_failure_of(world.store)
    if record and record.exit_code != EXIT_NOTHING_TO_DO and (datetime.now(UTC) - record.at).days < FAILURE_FRESH_DAYS:
        console.print(
            f"  last failure: {record.step} with {record.code} at {record.at:%Y-%m-%d %H:%M} UTC: "
            f"`ratchet explain {record.run_id}`",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )


def receipt(world: World, file_name: str, checked: ValidateOutputs, outcome: Added | Refused, console: Console) -> None:
    """What intake did with an upload, on one screen, and where it stands as a page and for machines."""
    console.print(
        f"{printable(file_name)}: read {checked.num_read} rows, accepted {checked.num_accepted} "
        f"(redacted {checked.num_redacted}, warned of {checked.num_warned}), quarantined {checked.num_quarantined}, "
        f"labels {checked.num_labels}",
        markup=False,
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("rows", "", "reason", "rule"):
        table.add_column(heading, justify="right" if heading == "rows" else "left")
    told = json.loads(world.store.read_bytes(checked.receipt))["reasons"]  # with what the rows say
    broken = [reason for reason in map(ReasonCount.model_validate, told) if reason.num_rows]
    num_shown = max(1, _EXAMPLE_LINES // max(1, len(broken)))
    for reason in broken:
        done = {"quarantine": "quarantined", "redact": "redacted", "warn": "kept"}[reason.action]
        table.add_row(str(reason.num_rows), done, reason.reason, Text(reason.rule))
        for line in _examples(reason.examples, num_shown):
            table.add_row("", "", "", Text(line, "dim", no_wrap=True, overflow="ellipsis"))
    if broken:
        console.print(table)
    if checked.num_quarantined:
        kept = world.settings.state / "quarantine" / f"{checked.quarantine.sha256[:12]}.jsonl"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.parent.chmod(0o700)  # rows as they stood: what was left out for being secret is in them
        _bring(world, checked.quarantine, kept)
        kept.chmod(0o600)
        console.print(f"every rejected row with its reasons: {kept}", soft_wrap=True)
    if checked.changes:
        compared(checked.changes, embedding_of(json.loads(world.store.read_bytes(checked.receipt))), console)
    page = world.settings.state / "receipts" / f"{checked.receipt.sha256[:12]}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    came_of_it = told_of(world, file_name, ending_of(file_name, checked, outcome))
    replace_file(page, render(came_of_it))
    replace_file(page.with_suffix(".json"), as_json(came_of_it))
    console.print(f"the receipt as a page: {page} (and as .json)", soft_wrap=True)
    if isinstance(outcome, Added):
        version = outcome.version
        console.print(
            f"dataset version {version.rows.sha256[:12]} of {version.dataset!r}: {version.num_rows} rows from "
            f"{len(version.uploads)} upload{'s' if len(version.uploads) > 1 else ''}; the next release trains on it"
        )


def _bring(world: World, ref: FileRef, path: Path) -> None:
    """Whole, or not at all; what is there already is that file, for its name is of its digest."""
    if not path.is_file():
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            world.store.fetch_file(ref, Path(folder) / path.name).rename(path)


def _examples(examples: Sequence[Example], num_shown: int) -> list[str]:
    """A line for so many of them that have a text; the numbers of the others stand in the first line."""
    told = [example for example in examples if example.text][:num_shown]
    numbers = ", ".join(str(example.row) for example in examples if example not in told)
    if not told:
        return [f"row {numbers}"]
    also = f" (also {numbers})" if numbers else ""
    return [f"row {one.row}{'' if place else also}: {one.text}" for place, one in enumerate(told)]


def compared(changes: Changes, embedding: Distance | None, console: Console) -> None:
    """The upload against the version it was added to."""
    console.print(
        f"against the version before: {changes.num_new_rows} rows that it lacked, {changes.num_new_labels} new labels, "
        f"{changes.upload.num_repeated} rows twice or more ({changes.version.num_repeated} there)",
        soft_wrap=True,
    )
    for shift in changes.shifts:
        if shift.drifted:
            told = f"drift of {in_words(shift)} (index {shift.psi:.2f}, told above {shift.limit:.2f})"
            console.print(told, style="yellow", markup=False, soft_wrap=True)
    if embedding and embedding.drifted:
        console.print(
            f"drift of what the texts are about (distance {embedding.distance:.3f}, told above {embedding.limit:.3f})",
            style="yellow",
            soft_wrap=True,
        )


def outcome(airflow: Airflow, run: Run, state: str, console: Console) -> None:
    """How a watched run ended, in one sentence."""
    tasks = {task.task_id: task for task in airflow.tasks(run.dag_id, run.run_id)}
    release_id = airflow.output(run.dag_id, run.run_id, "resolve", "release_id")
    if tasks["resolve"].state == "skipped":
        lines = [line for line in airflow.log(run.dag_id, run.run_id, tasks["resolve"]) if "nothing to do" in line]
        console.print(f"skipped: {lines[-1] if lines else 'nothing to do'}", markup=False)
    elif tasks["approve"].state == "awaiting_input":
        console.print(
            f"{release_id} waits for approval: `ratchet report {release_id}`, then `ratchet approve {release_id}`"
        )
    elif state == "failed":
        failed = [task for task in tasks.values() if task.state == "failed"]
        names = ", ".join(task.task_id for task in failed)
        console.print(
            f"[red]{release_id or run.run_id} failed in {names}[/]; {_of_production(tasks)}; why, and what to do: "
            f"`ratchet explain {run.run_id}`",
            soft_wrap=True,
        )
        # What a retry cannot help a person can: the sentence says how.
        for line in (line for task in failed for line in airflow.log(run.dag_id, run.run_id, task) if FINAL in line):
            console.print(line, markup=False, soft_wrap=True)
    elif tasks["bake"].state == "success":
        console.print(f"{release_id} is in production")
    elif tasks["promote"].state == "success":
        reason = airflow.output(run.dag_id, run.run_id, "promote", "reason")
        console.print(f"{release_id} was given up in its canary: {reason}; users are on production as before")
    else:
        verdict = airflow.output(run.dag_id, run.run_id, "gate", "verdict")
        console.print(f"{release_id} was not released (gate: {verdict}); production is unchanged")


def _of_production(tasks: Mapping[str, TaskState]) -> str:
    """Of a run that failed: once promote began, users may be on the new release."""
    promote = tasks.get("promote")
    began = promote is not None and promote.state not in (None, "upstream_failed", "skipped", "removed")
    return "`ratchet status` says what is in production now" if began else "production is unchanged"


def curl(settings: Settings, recipe: Recipe, text: str) -> str:
    body = {
        "model": recipe.line,
        "messages": [{"role": "user", "content": fill(recipe.prompt, text)}],
        "max_tokens": 48,
        "temperature": 0,
    }
    url = f"{settings.users_url}/v1/chat/completions"
    key = "" if read_keys(settings) is None else "-H 'Authorization: Bearer YOUR_KEY' "
    return (
        f"curl -s {url} {key}-H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body, ensure_ascii=False))}"
    )
