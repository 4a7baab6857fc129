"""`ratchet`: what people type. Each verb is one function; the table below is the help."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from ratchet.cli import benchmark, compare, demo, floors, plan, release, releases, show, verify
from ratchet.cli.arguments import count, name, whole
from ratchet.cli.bench import command as bench
from ratchet.cli.here import do_step
from ratchet.cli.measure import find_model
from ratchet.cli.review import judge, pairs, ratings, tell
from ratchet.cli.submit import Upload, submit
from ratchet.cli.watch import Run, follow
from ratchet.cli.way_back import dry_run
from ratchet.clients.settings import CONFIG_VARIABLE, Settings, find, load
from ratchet.clients.world import World
from ratchet.core import log as logs
from ratchet.core import verification
from ratchet.core.contract import Contract
from ratchet.core.errors import EXIT_DONE, Cancelled, NothingToDo, RatchetError
from ratchet.core.refs import FolderRef
from ratchet.local import platform
from ratchet.local.base import import_base
from ratchet.local.bring_up import bring_up
from ratchet.recipes.catalogue import load_recipe
from ratchet.recipes.recipe import Recipe
from ratchet.rollback.contract import RollbackInputs


@dataclass(frozen=True)
class Here:
    """What every verb works with. The recipe is read when a verb needs it: the one that brings its data does not."""

    settings: Settings
    config: Path
    recipe_name: str
    console: Console

    @cached_property
    def recipe(self) -> Recipe:
        return load_recipe(self.recipe_name, self.settings.root)

    @property
    def dag_id(self) -> str:
        return f"release_{self.recipe.line}"

    @property
    def world(self) -> World:
        return World(self.settings, self.settings.scratch)

    def do(self, step: str, inputs: Contract) -> Any:
        """Run a step here, its log lines made readable."""
        return do_step(self.settings, self.config, step, inputs, show.readable_to(self.console))


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


def run_demo(here: Here, options: argparse.Namespace) -> None:
    upload = Upload(options.data, options.text_column, options.label_column, replace=True) if options.data else None
    demo.run(here.settings, here.config, here.recipe, upload, here.console)


def submit_file(here: Here, options: argparse.Namespace) -> None:
    upload = Upload(options.file, options.text_column, options.label_column, options.replace)
    checked, version = submit(here.settings, here.config, here.recipe, upload, show.quiet)
    show.receipt(here.world, upload.path, checked, version, here.console)


def take_base(here: Here, options: argparse.Namespace) -> None:
    ref = import_base(here.world, options.folder, options.name)
    here.console.print(f"{options.name} is in the store: {ref.sha256[:12]}, {ref.bytes} bytes")


def retrain(here: Here, options: argparse.Namespace) -> None:
    airflow = release.airflow_of(here.settings, "engineer")
    going = release.unfinished(airflow, here.dag_id)
    run = Run(here.dag_id, going or release.start(airflow, here.dag_id))
    here.console.print(f"{run.run_id} is not finished: it goes on" if going else f"started {run.run_id}")
    if not options.no_wait:
        state = follow(airflow, run, here.console)
        show.outcome(airflow, run, state, here.console)


def report(here: Here, options: argparse.Namespace) -> None:
    found = release.find_report(here.world.store, options.release)
    path = release.write_page(here.settings, here.world.store, found)
    here.console.print(found.outputs.summary, markup=False)
    here.console.print(f"\nfull report: {path.as_uri()}", soft_wrap=True)


def compare_models(here: Here, options: argparse.Namespace) -> int:
    recipe = floors.with_floors(here.recipe, options.min)
    outputs = compare.compare(here.do, here.world, recipe, *_two_models(here, options))
    compare.show(outputs, here.console)
    return compare.EXIT_OF[outputs.verdict]


def review_pairs(here: Here, options: argparse.Namespace) -> None:
    task, models = options.task or here.recipe.split_task.name, _two_models(here, options)
    review = pairs.make_pairs(here.do, here.world, here.recipe, *models, task, options.num_samples)
    if review.pairs:
        pairs.write_pairs(review, options.out)
    else:
        ratings.store_ties(here.world, review)
    tell.pairs(review, options.out, here.console)


def review_ratings(here: Here, options: argparse.Namespace) -> None:
    rated = ratings.read_ratings(options.file, here.world.store)
    tell.ratings(ratings.store_ratings(here.world, rated, "people", options.by), here.console)


def review_judge(here: Here, options: argparse.Namespace) -> None:
    asked = judge.Judge(
        url=judge.root_of(options.url),
        model=options.model,
        key=judge.read_key(options.key_file),
        prompt=judge.load_prompt(here.settings.root / "quality_gates" / "judge.yaml"),
    )
    review = ratings.read_ratings(options.file, here.world.store).review
    with tell.progress(len(review.pairs), here.console) as on_pair:
        judged = judge.judge_pairs(asked, review, options.file.name, on_pair)
    rated = ratings.RatedFile(review, judged.choices)
    tell.ratings(ratings.store_ratings(here.world, rated, "judge", options.model, judged.record), here.console)


def _two_models(here: Here, options: argparse.Namespace) -> tuple[FolderRef, FolderRef]:
    world, line = here.world, here.recipe.line
    return find_model(world, line, options.candidate), find_model(world, line, options.baseline)


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


def verify_all(here: Here, options: argparse.Namespace) -> int:
    rows = verification.verify(verify.gather(here.world, here.recipe.line))
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


def _answer(here: Here, options: argparse.Namespace, option: str, word: str) -> None:
    airflow = release.airflow_of(here.settings, options.user)
    waiting = release.find_waiting(airflow, here.dag_id, options.release)
    store = here.world.store
    release.check_reason(option, options.reason, lambda: release.find_report(store, waiting.release_id).outputs.verdict)
    airflow.answer(here.dag_id, waiting.run_id, option, options.reason)
    here.console.print(f"{word} {waiting.release_id} as {options.user}")


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    logs.configure(for_people=True)
    # A pipe or a log has no width of its own; rich would assume 80.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    verb: Callable[[Here, argparse.Namespace], int | None] = options.verb
    try:
        config = find(options.config)
        os.environ[CONFIG_VARIABLE] = str(config)
        settings = load(config)
        here = Here(settings, config, options.recipe or settings.recipe, console)
        return verb(here, options) or EXIT_DONE
    except NothingToDo as error:
        console.print(f"nothing to do: {error}", markup=False)
        return error.exit_code
    except RatchetError as error:
        Console(stderr=True).print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        return error.exit_code
    except KeyboardInterrupt:
        Console(stderr=True).print("\ninterrupted; run the same command again to go on")
        return Cancelled.exit_code


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="ratchet", description="Retrain a language model on fresh data, and never ship a worse one."
    )
    top.add_argument("--config", type=Path, help="ratchet.toml (default: $RATCHET_CONFIG, else the nearest one above)")
    top.add_argument("--recipe", help="the model line (default: `recipe` in ratchet.toml)")
    verbs = top.add_subparsers(required=True, metavar="VERB")

    def add(name: str, run: Callable[[Here, argparse.Namespace], int | None], text: str) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=text, description=text)
        verb.set_defaults(verb=run)
        return verb

    add("up", up, "start the platform: Airflow, MLflow, Envoy, and vLLM with the model in production")
    add("down", down, "stop the platform; nothing is lost")
    add("clean", clean, "stop the platform and delete its folder")
    add("status", status, "what runs, what is in production, what waits")
    verb = add("demo", run_demo, "one whole release, from a data file to an answering endpoint")
    verb.add_argument("--data", type=Path, help="your own labelled texts (CSV or JSON lines) instead of the sample")
    _columns(verb)
    verb = add("submit", submit_file, "hand in a data file; get a receipt")
    verb.add_argument("file", type=Path)
    verb.add_argument("--replace", action="store_true", help="start the dataset anew instead of adding to it")
    _columns(verb)
    verb = add("import-base", take_base, "put a base model into the store, for recipes that name it")
    verb.add_argument("folder", type=Path, help="config.json, tokenizer, chat template, safetensors")
    verb.add_argument("--name", required=True, help="what recipes call it")
    verb = add("retrain", retrain, "start a release now and watch it")
    verb.add_argument("--no-wait", action="store_true", help="start it and return")
    verb = add("report", report, "the decision report of a release")
    verb.add_argument("release", nargs="?", help="release id (default: the newest)")
    verb = add("compare", compare_models, "put two models through the gate (exit code: 0 PASS, 1 FAIL, 3 INCONCLUSIVE)")
    _models(verb)
    verb.add_argument(
        "--min",
        action="append",
        default=[],
        metavar="TASK[.METRIC]=VALUE",
        help="a floor for this comparison alone, e.g. mmlu=0.65; may be given several times",
    )
    verb = add("benchmark", import_benchmark, "make a stock task of lm-eval one that recipes can name; once, on-line")
    verb.add_argument("task", help="lm-eval's name of it, e.g. mmlu")
    verb.add_argument("--num-fewshot", type=whole, help="examples before each question (default: the task's own)")
    verb.add_argument("--limit", type=count, help="the first so many documents of each task (default: all)")
    verb.add_argument("--filter", help="how answers are read, where a task has several ways (default: its first)")
    verb.add_argument("--max-gen-toks", type=count, help="how long an answer may be (default: the task's own)")
    verb.add_argument("--into", type=Path, help="where the two files go (default: quality_gates/tasks)")
    verb.add_argument("--force", action="store_true", help="replace files of that name")
    verb = add("bench-serving", bench_serving, "how fast an OpenAI-compatible endpoint answers, under rising load")
    bench.add_arguments(verb)
    review = add("review", review_pairs, "ask people, or a language model, which of two models' answers they prefer")
    _review_verbs(review.add_subparsers(required=True, metavar="WHAT"))
    verb = add("gate", gate, "what the gate could tell: samples, margins, power, before anything is measured")
    verb.add_argument("--what-if", nargs="+", default=[], metavar="NAME=VALUE", help="margin=0.01 n=2000")
    for word, run, text in (("approve", approve, "let a waiting release go live"), ("reject", reject, "turn it down")):
        verb = add(word, run, text)
        verb.add_argument("release", nargs="?", help="release id (default: the only one that waits)")
        verb.add_argument("--reason", default="", required=word == "reject", help="kept in the ledger")
        verb.add_argument("--as", dest="user", default="release-manager", help="the Airflow user who answers")
    verb = add("releases", history, "what was released, rejected and rolled back, when and by whom; what is live")
    verb.add_argument("--line", help="another model line's history (default: the recipe's)")
    verb.add_argument("--last", type=int, default=releases.NUM_ROWS, help="how many rows; 0 is all (default: 20)")
    verb.add_argument("--json", action="store_true", help="every event in full, for machines")
    verb = add(
        "verify",
        verify_all,
        "prove that what serves is what was approved (exit code: 0 all ok, 1 something differs, 3 cannot tell)",
    )
    verb.add_argument("--json", action="store_true", help="every row in full, for machines")
    verb = add("rollback", rollback, "put the previous model back, now")
    verb.add_argument("--to", help="an earlier release id (default: the previous one)")
    verb.add_argument("--reason", default="by hand", help="kept in the ledger")
    verb.add_argument("--dry-run", action="store_true", help="say what it would do, and do nothing")
    return top


def _models(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "candidate", help="production, previous, a release id, a version number, or the start of a digest"
    )
    verb.add_argument("baseline", help="what it must not be worse than, named in the same way")


def _review_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    def add(name: str, run: Callable[[Here, argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=text, description=text)
        verb.set_defaults(verb=run)
        return verb

    verb = add("pairs", review_pairs, "write the answers that differ to a file, blinded")
    _models(verb)
    verb.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON lines; must not be there yet")
    verb.add_argument("--task", help="whose samples (default: the one that asks the test split)")
    verb.add_argument("-n", dest="num_samples", type=count, default=50, help="samples to draw (default: 50)")
    verb = add("ratings", review_ratings, "hand in a file that a person has rated")
    verb.add_argument("file", type=Path)
    verb.add_argument("--by", required=True, type=name, metavar="NAME", help="who rated it")
    verb = add("judge", review_judge, "let a language model rate a file of pairs; nothing else ever calls one")
    verb.add_argument("file", type=Path)
    verb.add_argument("--url", required=True, help="an OpenAI-compatible endpoint, http(s)://HOST/v1")
    verb.add_argument("--model", required=True, type=name, help="the judge, as the endpoint calls it")
    verb.add_argument("--key-file", type=Path, help="a file with the endpoint's key")


def _columns(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--text-column", help="the column with the texts, if it is not found by name")
    verb.add_argument("--label-column", help="the column with the labels, if it is not found by name")


if __name__ == "__main__":
    sys.exit(main())
