"""What each verb of `ratchet` does: gather what is asked for, call, show."""

import argparse
import getpass
import sys
from pathlib import Path

from ratchet.cli import (
    benchmark,
    compare,
    costs,
    dashboards,
    demo,
    explain,
    floors,
    forget,
    keys,
    plan,
    release,
    releases,
    reload,
    runs,
    show,
    trace,
    verify,
    versions,
)
from ratchet.cli.bench import command as bench
from ratchet.cli.here import Here, do_step
from ratchet.cli.submit import Upload, submit, tell_next
from ratchet.cli.watch import Run, follow
from ratchet.cli.way_back import dry_run
from ratchet.clients.verification import gather
from ratchet.core import verification
from ratchet.local import platform
from ratchet.local.base import import_base
from ratchet.local.bring_up import bring_up
from ratchet.rollback.contract import RollbackInputs


def up(here: Here, _options: argparse.Namespace) -> None:
    bring_up(here.settings, here.config, here.recipe, here.console)
    show.services(here.settings, here.world, here.console)
    show.addresses(here.settings, here.recipe, here.console)


def down(here: Here, _options: argparse.Namespace) -> None:
    ran = platform.stop(here.settings)
    here.console.print("stopped" if ran else "nothing was running")


def clean(here: Here, _options: argparse.Namespace) -> None:
    platform.delete(here.settings)
    here.console.print(f"deleted {here.settings.state}")


def status(here: Here, _options: argparse.Namespace) -> None:
    show.services(here.settings, here.world, here.console)
    show.production(here.world, here.recipe, here.console)
    show.last_drill(here.world, here.recipe.line, here.console)
    show.last_failure(here.world, here.console)


def explain_failure(here: Here, options: argparse.Namespace) -> None:
    explain.explain(here.world.store, options.what, here.console)


def exporter(here: Here, options: argparse.Namespace) -> None:
    from ratchet.sight.server import run  # prometheus_client costs every other verb a tenth of a second

    run(here.settings, here.recipe, options)


def draw_dashboards(here: Here, options: argparse.Namespace) -> None:
    dashboards.write_all(here.settings, here.recipe.line, options, here.console)


def list_keys(here: Here, _options: argparse.Namespace) -> None:
    keys.tell(here.settings, here.console)


def add_key(here: Here, options: argparse.Namespace) -> None:
    keys.add(here.settings, options.name, here.console)


def remove_key(here: Here, options: argparse.Namespace) -> None:
    keys.remove(here.settings, options.name, here.console)


def run_demo(here: Here, options: argparse.Namespace) -> None:
    upload = Upload(options.data, options.text_column, options.label_column, replace=True) if options.data else None
    demo.run(here.settings, here.config, here.recipe, upload, here.console)


def submit_file(here: Here, options: argparse.Namespace) -> None:
    upload = Upload(options.file, options.text_column, options.label_column, options.replace, options.note)
    added = submit(here.settings, here.config, here.recipe, upload, here.console)
    if options.release:
        retrain(here, options)
    else:
        tell_next(here.recipe, added, upload.path.name, here.console)


def dataset_versions(here: Here, options: argparse.Namespace) -> None:
    told = versions.gather(here.world, here.recipe)
    if options.json:
        here.console.print(versions.as_json(told), markup=False, soft_wrap=True)
    else:
        versions.show(told, here.console)


def forget_rows(here: Here, options: argparse.Namespace) -> None:
    forget.run(here.world, here.recipe, options, here.console)


def take_base(here: Here, options: argparse.Namespace) -> None:
    ref = import_base(here.world, options.folder, options.name)
    here.console.print(f"{options.name} is in the store: {ref.sha256[:12]}, {ref.bytes} bytes")


def retrain(here: Here, options: argparse.Namespace) -> None:
    airflow = release.airflow_of(here.settings, "engineer")
    reason = costs.reason_to_start(options.over_budget, options.reason)
    going = release.unfinished(airflow, here.dag_id)
    if not going:
        costs.tell_forecast(here.world, here.recipe, here.console)
    run = Run(here.dag_id, going or release.start(airflow, here.dag_id, reason))
    here.console.print(f"{run.run_id} is not finished: it goes on" if going else f"started {run.run_id}")
    if not options.no_wait:
        state = follow(airflow, run, here.console)
        show.outcome(airflow, run, state, here.console)


def list_costs(here: Here, options: argparse.Namespace) -> None:
    costs.show(here.settings, here.world, here.recipe, options.last, here.console)


def list_runs(here: Here, _options: argparse.Namespace) -> None:
    runs.show_all(here.settings, here.recipe.line, here.console)


def show_run(here: Here, options: argparse.Namespace) -> None:
    runs.show(runs.find(here.settings, here.recipe.line, options.run), here.console)


def report(here: Here, options: argparse.Namespace) -> None:
    found = release.find_report(here.world.store, options.release)
    path = release.write_page(here.settings, here.world.store, found)
    here.console.print(found.outputs.summary, markup=False)
    here.console.print(f"\nfull report: {path.as_uri()}", soft_wrap=True)


def compare_models(here: Here, options: argparse.Namespace) -> int:
    recipe = floors.with_floors(here.recipe, options.min)
    outputs = compare.compare(here.do, here.world, recipe, here.model(options.candidate), here.model(options.baseline))
    compare.show(outputs, here.console)
    return compare.EXIT_OF[outputs.verdict]


def import_benchmark(here: Here, options: argparse.Namespace) -> None:
    wanted = benchmark.Benchmark(
        options.task,
        options.into,
        options.num_fewshot,
        options.limit,
        options.filter,
        options.max_gen_toks,
        options.force,
    )
    told = show.readable_to(here.console)
    benchmark.show(benchmark.bring(here.settings, wanted, told), here.console)


def gate(here: Here, options: argparse.Namespace) -> None:
    plan.show(plan.parse_what_if(options.what_if), here.recipe.gate, here.console)


def bench_serving(here: Here, options: argparse.Namespace) -> None:
    bench.bench_serving(here.settings, here.recipe, options, here.console)


def approve(here: Here, options: argparse.Namespace) -> None:
    _answer(here, options, release.APPROVE, "approved")


def reject(here: Here, options: argparse.Namespace) -> None:
    _answer(here, options, release.REJECT, "rejected")


def history(here: Here, options: argparse.Namespace) -> None:
    told = releases.gather(here.world, options.line or here.recipe.line)
    if options.json:
        here.console.print(releases.as_json(told), markup=False, soft_wrap=True)
    else:
        releases.show(told, options.last, here.console)


def trace_answer(here: Here, options: argparse.Namespace) -> None:
    trace.show(trace.trace(here.world, here.recipe, options.answer), here.console)


def verify_all(here: Here, options: argparse.Namespace) -> int:
    facts = gather(here.world, here.recipe.line, here.settings.users_url)
    rows = verification.verify(facts)
    if options.json:
        here.console.print(verify.as_json(here.recipe.line, rows), markup=False, soft_wrap=True)
    else:
        verify.show(rows, here.console)
    return verification.exit_code(rows)


def rollback(here: Here, options: argparse.Namespace) -> None:
    inputs = RollbackInputs(
        line=here.recipe.line, by=getpass.getuser(), reason=options.reason, to_release=options.to or ""
    )
    if options.dry_run:
        dry_run(here.world, inputs, here.console)
        return
    # In the command line's own environment: the way back needs neither Airflow nor MLflow nor any image.
    outputs = do_step(
        here.settings, here.config, "rollback", inputs, show.readable_to(here.console), Path(sys.executable)
    )
    here.console.print(
        f"{outputs.release_id} has the users now, on {outputs.active}; traffic moved in {outputs.switch_seconds:.3f} s"
        + ("" if outputs.recorded else "; the ledger cannot be written now: the event waits for the next command")
    )


def reload_preview(here: Here, _options: argparse.Namespace) -> None:
    reload.reload(here.world, here.console)


def _answer(here: Here, options: argparse.Namespace, option: str, word: str) -> None:
    airflow = release.airflow_of(here.settings, options.user)
    waiting = release.find_waiting(airflow, here.dag_id, options.release)
    store = here.world.store
    release.check_reason(option, options.reason, lambda: release.find_report(store, waiting.release_id).outputs.verdict)
    airflow.answer(here.dag_id, waiting.run_id, option, options.reason)
    here.console.print(f"{word} {waiting.release_id} as {options.user}")
