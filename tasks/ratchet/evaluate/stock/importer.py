"""Import one stock task: what lm-eval asks a stand-in becomes our files, and these must ask and score the same."""

import contextlib
import math
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from ratchet.core.errors import RatchetError
from ratchet.core.log import log
from ratchet.evaluate.harness import LoadedModel
from ratchet.evaluate.rows import Row, read_rows
from ratchet.evaluate.stock import config as rules
from ratchet.evaluate.stock.config import Unsupported
from ratchet.evaluate.stock.files import check_free, write_pair
from ratchet.evaluate.stock.hub import data_alone, revision_of
from ratchet.evaluate.stock.rows import json_lines, rows_of, shape_of
from ratchet.evaluate.task_file import parse_task

SUBJECT = "subject"
# lm-eval's own (simple_evaluate): some tasks shuffle choices while they load.
_PYTHON_SEED, _OTHER_SEED = 0, 1234
_SAME = 1e-9


@dataclass(frozen=True)
class Request:
    """`limit`: the first so many documents of each task, as lm-eval's own --limit."""

    name: str
    into: Path
    num_fewshot: int | None = None
    limit: int | None = None
    filter_name: str | None = None
    max_gen_toks: int | None = None
    force: bool = False

    @property
    def command(self) -> str:
        options = {
            "--num-fewshot": self.num_fewshot,
            "--limit": self.limit,
            "--filter": self.filter_name,
            "--max-gen-toks": self.max_gen_toks,
        }
        said = (f" {option} {value}" for option, value in options.items() if value is not None)
        return f"ratchet benchmark {self.name}{''.join(said)}"


@dataclass(frozen=True)
class Imported:
    """The name that recipes use, and what a person wants to know of it."""

    name: str
    num_rows: int
    num_subjects: int
    metrics: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Stock:
    """A task, or a group as its tasks, as lm-eval loaded and asked them; `records` of the chosen filter alone."""

    tasks: Mapping[str, Any]
    version: str
    filter_list: list[dict[str, Any]]
    records: Mapping[str, Sequence[Mapping[str, Any]]]


def import_task(request: Request) -> Imported:
    """Write the two files. Raises Unsupported, HubAway, AlreadyThere, each with what to do."""
    name = rules.our_name(request.name)
    if not request.force:
        check_free(request.into, name)
    with _lm_eval_said(request.name):
        tasks, task_version = _load(request)
        stand_in = _stand_in(tasks, request.limit)
        stock = _ask(tasks, task_version, stand_in, request)
        rows = _rows(stock)
        config, note = _config(name, stock, rows, request)
    config_yaml = _comment(stock, len(rows), request) + yaml.safe_dump(
        config, sort_keys=False, allow_unicode=True, width=120
    )
    log.info("asking the imported task the same", extra={"num_rows": len(rows)})
    _check_same(name, config_yaml, json_lines(rows), stock, stand_in)
    write_pair(request.into, name, config_yaml, json_lines(rows), request.force)
    metrics = tuple(row["metric"] for row in config["metric_list"])
    return Imported(name, len(rows), len(tasks), metrics, note)


@contextlib.contextmanager
def _lm_eval_said(name: str) -> Iterator[None]:
    """What fails in lm-eval, its tasks' code and the data that they expect, is theirs to mend; ours keeps its words."""
    try:
        yield
    except RatchetError:
        raise
    except Exception as error:
        raise Unsupported(f"lm-eval cannot ask {name} here: {type(error).__name__}: {error}") from error


@cache
def task_manager() -> Any:
    """lm-eval's, of the thousands of files with its own tasks."""
    from lm_eval.tasks import TaskManager

    log.info("reading lm-eval's list of tasks")
    return TaskManager()


def _load(request: Request) -> tuple[dict[str, Any], str]:
    """The tasks, and the version of the task or the group."""
    import numpy
    import torch

    manager = task_manager()
    rules.check_known(request.name, manager.all_tasks)
    for leaf, settings in _leaves(request.name, manager.task_index):
        rules.check_supported(leaf, settings, request.num_fewshot)
    random.seed(_PYTHON_SEED)
    numpy.random.seed(_OTHER_SEED)
    torch.manual_seed(_OTHER_SEED)
    with data_alone():
        loaded = manager.load([request.name])
    for leaf, task in loaded["tasks"].items():
        rules.check_supported(leaf, vars(task.config), request.num_fewshot)
    group, first = loaded["groups"].get(request.name), next(iter(loaded["tasks"].values()))
    return loaded["tasks"], str(group.version if group else first.VERSION)


def _leaves(name: str, index: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A group's tasks as their files say them, before any of their code or data is loaded."""
    entry = index.get(name)
    if entry is None:
        return
    members = entry.cfg.get("task") if entry.cfg else sorted(entry.tags)
    if not isinstance(members, list):
        yield name, entry.cfg
        return
    for member in members:
        inner = member if isinstance(member, str) else member.get("task") or member.get("group")
        if isinstance(inner, str):
            yield from _leaves(inner, index)


def _stand_in(tasks: Mapping[str, Any], limit: int | None) -> Any:
    from ratchet.evaluate.stock.stand_in import StandIn

    def right_answer(request: Any) -> str:
        task = tasks[request.task_name]
        target = task.doc_to_target(request.doc)
        if task.config.doc_to_choice is not None:
            target = task.doc_to_choice(request.doc)[target]
        return str(target[0] if isinstance(target, list) and target else target)

    num_documents = sum(min(limit or len(task.eval_docs), len(task.eval_docs)) for task in tasks.values())
    return StandIn(planned=2 * num_documents, right_answer=right_answer)


def _ask(tasks: dict[str, Any], task_version: str, stand_in: Any, request: Request) -> Stock:
    import lm_eval

    first = next(iter(tasks.values()))
    filter_name, filter_list = rules.chosen_filter(request.name, vars(first.config), request.filter_name)
    for task in tasks.values():
        if request.max_gen_toks and task.OUTPUT_TYPE == "generate_until":
            task.config.generation_kwargs["max_gen_toks"] = request.max_gen_toks
        num_fewshot = task.config.num_fewshot if request.num_fewshot is None else request.num_fewshot
        task.set_config("num_fewshot", num_fewshot or 0)
        task.set_fewshot_seed(_OTHER_SEED)
    results = lm_eval.evaluate(
        stand_in, {"tasks": tasks}, limit=request.limit, apply_chat_template=True, bootstrap_iters=0
    )
    stand_in.knows_all = True
    records = {
        name: sorted(
            (record for record in results["samples"][name] if record["filter"] == filter_name),
            key=lambda record: record["doc_id"],
        )
        for name in tasks
    }
    return Stock(tasks, task_version, filter_list, records)


def _rows(stock: Stock) -> list[Row]:
    is_group = len(stock.tasks) > 1
    rows = []
    for name, task in stock.tasks.items():
        subject = (task.config.task_alias or name) if is_group else None
        rows += rows_of(task, stock.records[name], subject)
    return rows


def _config(name: str, stock: Stock, rows: list[Row], request: Request) -> tuple[dict[str, Any], str]:
    """The task file of all tasks. Raises Unsupported when a group's tasks ask or score in different ways."""
    shape = shape_of(list(stock.tasks.values()), rows)
    made: dict[str, dict[str, Any]] = {}
    note = ""
    for leaf, task in stock.tasks.items():
        metric_list, note = rules.our_metrics(leaf, vars(task.config), task.higher_is_better())
        _, filter_list = rules.chosen_filter(leaf, vars(task.config), request.filter_name)
        made[leaf] = rules.our_config(
            name,
            vars(task.config),
            shape,
            version=stock.version,
            metric_list=metric_list,
            filter_list=filter_list,
            slices=[SUBJECT] if len(stock.tasks) > 1 else [],
        )
    (first, config), *others = made.items()
    for leaf, other in others:
        if other != config:
            different = sorted(key for key in {*config, *other} if config.get(key) != other.get(key))
            raise Unsupported(
                f"{request.name} cannot be one task: {first} and {leaf} differ in {', '.join(different)}; import its "
                "tasks one by one"
            )
    return config, note


def _comment(stock: Stock, num_rows: int, request: Request) -> str:
    task = next(iter(stock.tasks.values()))
    parts = sorted({each.config.dataset_name for each in stock.tasks.values() if each.config.dataset_name})
    revisions = sorted({found for each in stock.tasks.values() if (found := _revision(each))})
    part = f" ({parts[0] if len(parts) == 1 else f'{len(parts)} parts'})" if parts else ""
    shots = task.config.num_fewshot or 0
    lines = (
        f"{request.name}, version {stock.version}, as lm-eval {version('lm-eval')} asks it: by `{request.command}`.",
        f"Data: {task.config.dataset_path}{part}, revision {', '.join(revisions) or 'not known'}; {num_rows} rows, "
        f"{shots} example{'' if shots == 1 else 's'} before each.",
    )
    return "".join(f"# {line}\n" for line in lines)


def _revision(task: Any) -> str:
    splits = task.dataset.values() if isinstance(task.dataset, dict) else [task.dataset]
    return next((found for split in splits if (found := revision_of(split.info.download_checksums))), "")


def _check_same(name: str, config_yaml: str, data: bytes, stock: Stock, stand_in: Any) -> None:
    """Ask the two files by the very path of `evaluate`. Raises Unsupported at the first row that differs."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(data)
        file.flush()
        task = parse_task(name, config_yaml)
        rows = read_rows(Path(file.name), task)
    asked = LoadedModel(stand_in, seed=0, engine="", chat_template_sha256="").ask([(task, rows)])[name]
    theirs = [record for leaf in stock.tasks for record in stock.records[leaf]]
    for row, ours, expected in zip(rows, asked, theirs, strict=True):
        for metric in task.metrics:
            stock_metric = metric if metric in expected else "acc"  # mc2 has no name of its own there
            if not _same(ours[metric], expected[stock_metric]):
                raise Unsupported(
                    f"{name} cannot be imported: row {row['id']} would get {metric} = {ours[metric]} where lm-eval "
                    f"gives {expected[stock_metric]} to the same answer"
                )


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, tuple):
        return bool(ours == theirs)
    return math.isclose(ours, theirs, rel_tol=_SAME, abs_tol=_SAME) or (math.isnan(ours) and math.isnan(theirs))
