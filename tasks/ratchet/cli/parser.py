"""What people may type: one verb a line, in the order in which they meet them."""

import argparse
from collections.abc import Callable
from pathlib import Path

from ratchet.cli import dashboards, feedback, labels, releases, verbs
from ratchet.cli.arguments import count, name, whole
from ratchet.cli.bench import command as bench
from ratchet.cli.here import Here
from ratchet.cli.review import command as review
from ratchet.sight.arguments import add_arguments as add_exporter_arguments

Verb = Callable[[Here, argparse.Namespace], int | None]
Add = Callable[[str, Verb, str], argparse.ArgumentParser]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="ratchet", description="Retrain a language model on fresh data, and never ship a worse one."
    )
    top.add_argument("--config", type=Path, help="ratchet.toml (default: $RATCHET_CONFIG, else the nearest one above)")
    top.add_argument("--recipe", help="the model line, before or after the verb (default: `recipe` in ratchet.toml)")
    add = _adder(top.add_subparsers(required=True, metavar="VERB"))
    _platform(add)
    _candidates(add)
    _releases(add)
    return top


def _adder(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> Add:
    def add(word: str, run: Verb, text: str) -> argparse.ArgumentParser:
        verb = group.add_parser(word, help=text, description=text)
        verb.set_defaults(verb=run)
        verb.add_argument("--recipe", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        return verb

    return add


def _platform(add: Add) -> None:
    add("up", verbs.up, "start the platform: Airflow, MLflow, Envoy, and vLLM with the model in production")
    add("down", verbs.down, "stop the platform; nothing is lost")
    add("clean", verbs.clean, "stop the platform and delete its folder")
    add("status", verbs.status, "what runs, what is in production, what waits")
    verb = add("explain", verbs.explain_failure, "what a failure means, whether it can wait, and what to do")
    verb.add_argument("what", nargs="?", metavar="CODE|RUN", help="default: the newest failure")
    add_exporter_arguments(add("exporter", verbs.exporter, "serve the pipeline's metrics to Prometheus, on one page"))
    dashboards.add_arguments(add("dashboards", verbs.draw_dashboards, "the dashboards as pages, drawn without Grafana"))
    keys = add("keys", verbs.list_keys, "who may ask the endpoint: without keys everybody who reaches it")
    _keys(_adder(keys.add_subparsers(metavar="WHAT")))
    verb = add("demo", verbs.run_demo, "one whole release, from a data file to an answering endpoint")
    verb.add_argument("--data", type=Path, help="your own labelled texts (CSV or JSON lines) instead of the sample")
    _columns(verb)
    verb = add("submit", verbs.submit_file, "hand in a data file; get a receipt")
    verb.add_argument("file", type=Path)
    verb.add_argument("--replace", action="store_true", help="start the dataset anew instead of adding to it")
    verb.add_argument("--note", default="", help="kept with the dataset version")
    verb.add_argument("--release", action="store_true", help="start a release with it now, and watch it")
    verb.set_defaults(no_wait=False, over_budget=False, reason="")
    _columns(verb)
    verb = add(
        "datasets", verbs.dataset_versions, "the versions of the dataset: what made each, and what was trained on it"
    )
    verb.add_argument("--json", action="store_true", help="every version in full, for machines")
    verb = add("forget", verbs.forget_rows, "a dataset version without certain rows, for good; who was trained on them")
    which = verb.add_mutually_exclusive_group(required=True)
    which.add_argument("--match", metavar="TEXT", help="rows with this in their text or label; case does not matter")
    which.add_argument("--ids", type=Path, metavar="FILE", help="row ids, one a line")
    verb.add_argument("--regex", action="store_true", help="--match is a regular expression")
    verb.add_argument("--reason", required=True, type=name, help="kept with the version: leave out what is forgotten")
    verb.add_argument("--yes", action="store_true", help="do not ask")
    waits = add("feedback", feedback.list_waiting, "what was said of answers and waits for a person to decide")
    _feedback(_adder(waits.add_subparsers(metavar="WHAT")))
    verb = add("labels", labels.take, "keep what the truth about answers turned out to be, for the daily look")
    verb.add_argument("file", type=Path, help="CSV, or JSON lines (.jsonl), with request_id and label")
    verb = add("import-base", verbs.take_base, "put a base model into the store, for recipes that name it")
    verb.add_argument("folder", type=Path, help="config.json, tokenizer, chat template, safetensors")
    verb.add_argument("--name", required=True, help="what recipes call it")


def _candidates(add: Add) -> None:
    verb = add("retrain", verbs.retrain, "start a release now and watch it")
    verb.add_argument("--no-wait", action="store_true", help="start it and return")
    verb.add_argument("--over-budget", action="store_true", help="start it even if it will cost more than its budget")
    verb.add_argument("--reason", default="", help="why it may cost more; kept with the cost of the run")
    verb = add("costs", verbs.list_costs, "what the last runs took and cost, and what was foreseen")
    verb.add_argument("--last", type=whole, default=10, metavar="N", help="how many; 0 is all (default: 10)")
    shown = add("runs", verbs.list_runs, "the runs that left their spans on this machine, the newest first")
    verb = _adder(shown.add_subparsers(metavar="WHAT"))("show", verbs.show_run, "what a run did, and when: a waterfall")
    verb.add_argument("run", nargs="?", help="run id (default: the newest release)")
    verb = add("report", verbs.report, "the decision report of a release")
    verb.add_argument("release", nargs="?", help="release id (default: the newest)")
    verb = add(
        "compare", verbs.compare_models, "put two models through the gate (exit: 0 PASS, 1 FAIL, 3 INCONCLUSIVE)"
    )
    _models(verb)
    verb.add_argument(
        "--min",
        action="append",
        default=[],
        metavar="TASK[.METRIC]=VALUE",
        help="a floor for this comparison alone, e.g. mmlu=0.65; may be given several times",
    )
    verb = add("benchmark", verbs.import_benchmark, "make a stock task of lm-eval one that recipes can name; on-line")
    verb.add_argument("task", help="lm-eval's name of it, e.g. mmlu")
    verb.add_argument("--num-fewshot", type=whole, help="examples before each question (default: the task's own)")
    verb.add_argument("--limit", type=count, help="the first so many documents of each task (default: all)")
    verb.add_argument("--filter", help="how answers are read, where a task has several ways (default: its first)")
    verb.add_argument("--max-gen-toks", type=count, help="how long an answer may be (default: the task's own)")
    verb.add_argument("--into", type=Path, help="where the two files go (default: quality_gates/tasks)")
    verb.add_argument("--force", action="store_true", help="replace files of that name")
    verb = add("bench-serving", verbs.bench_serving, "how fast an OpenAI-compatible endpoint answers under load")
    bench.add_arguments(verb)
    reviews = add("review", review.write_pairs, "ask people, or a model, which of two models' answers they prefer")
    _reviews(_adder(reviews.add_subparsers(required=True, metavar="WHAT")))
    verb = add("gate", verbs.gate, "what the gate could tell: samples, margins, power, before anything is measured")
    verb.add_argument("--what-if", nargs="+", default=[], metavar="NAME=VALUE", help="margin=0.01 n=2000")


def _releases(add: Add) -> None:
    for word, run, text in (
        ("approve", verbs.approve, "let a waiting release go live"),
        ("reject", verbs.reject, "turn it down"),
    ):
        verb = add(word, run, text)
        verb.add_argument("release", nargs="?", help="release id (default: the only one that waits)")
        verb.add_argument("--reason", default="", required=word == "reject", help="kept in the ledger")
        verb.add_argument("--as", dest="user", default="release-manager", help="the Airflow user who answers")
    verb = add("releases", verbs.history, "what was released, rejected and rolled back, when and by whom; what is live")
    verb.add_argument("--line", help="another model line's history (default: the recipe's)")
    verb.add_argument("--last", type=whole, default=releases.NUM_ROWS, help="how many rows; 0 is all (default: 20)")
    verb.add_argument("--json", action="store_true", help="every event in full, for machines")
    verb = add("trace", verbs.trace_answer, "from an answer to the release, the model and the data behind it")
    verb.add_argument("answer", help="an answer's id, its request's (header x-request-id), or a release id")
    verb = add(
        "verify",
        verbs.verify_all,
        "prove that what serves is what was approved (exit code: 0 all ok, 1 something differs, 3 cannot tell)",
    )
    verb.add_argument("--json", action="store_true", help="every row in full, for machines")
    verb = add("rollback", verbs.rollback, "put the previous model back, now")
    verb.add_argument("--to", help="an earlier release id (default: the previous one)")
    verb.add_argument("--reason", default="by hand", help="kept in the ledger")
    verb.add_argument("--dry-run", action="store_true", help="say what it would do, and do nothing")
    add("reload", verbs.reload_preview, "stop the colour without users and start it anew, its files fetched again")


def _models(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "candidate", help="production, previous, a release id, a version number, or the start of a digest"
    )
    verb.add_argument("baseline", help="what it must not be worse than, named in the same way")


def _keys(add: Add) -> None:
    add("list", verbs.list_keys, "the names, never the keys")
    verb = add("add", verbs.add_key, "make a key and print it; from the first one on, the edge asks for keys")
    verb.add_argument("name", help="whose it is; logs and limits go by this name")
    verb = add("remove", verbs.remove_key, "take a key back, at once")
    verb.add_argument("name")


def _feedback(add: Add) -> None:
    add("show", feedback.show, "one of them, whole").add_argument("id")
    verb = add("accept", feedback.accept, "hand in corrected answers as rows of the next data set; get a receipt")
    verb.add_argument("ids", nargs="+", metavar="ID")
    verb.add_argument("--label", type=name, help="what the answer should have been, instead of what the sender says")
    verb = add("reject", feedback.reject, "leave them out")
    verb.add_argument("ids", nargs="+", metavar="ID")
    verb.add_argument("--reason", required=True, type=name, help="kept in the journal: quote nothing that was said")


def _reviews(add: Add) -> None:
    verb = add("pairs", review.write_pairs, "write the answers that differ to a file, blinded")
    _models(verb)
    verb.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON lines; must not be there yet")
    verb.add_argument("--task", help="whose samples (default: the one that asks the test split)")
    verb.add_argument("-n", dest="num_samples", type=count, default=50, help="samples to draw (default: 50)")
    verb = add("ratings", review.take_ratings, "hand in a file that a person has rated")
    verb.add_argument("file", type=Path)
    verb.add_argument("--by", required=True, type=name, metavar="NAME", help="who rated it")
    verb = add("judge", review.ask_judge, "let a language model rate a file of pairs; nothing else ever calls one")
    verb.add_argument("file", type=Path)
    verb.add_argument("--url", required=True, help="an OpenAI-compatible endpoint, http(s)://HOST/v1")
    verb.add_argument("--model", required=True, type=name, help="the judge, as the endpoint calls it")
    verb.add_argument("--key-file", type=Path, help="a file with the endpoint's key")


def _columns(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--text-column", help="the column with the texts, if it is not found by name")
    verb.add_argument("--label-column", help="the column with the labels, if it is not found by name")
