"""`ratchet review pairs`: what two models answer differently, as a file for raters who cannot see which is which.

{"sample_id": "3f…", "task": "intent", "prompt": "Give a label for: …", "a": "refund", "b": "cancel_order",
 "rating": null, "candidate": "9c…", "baseline": "1b…", "task_data": "77…", "review": "e0…"}
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ratchet.cli.measure import DoStep, Measured, measure, measure_whole
from ratchet.clients.store import Store
from ratchet.clients.world import World
from ratchet.core.contract import digest_json
from ratchet.core.errors import TerminalError
from ratchet.core.evaluation import EvalReport, TaskReport, parse_report, sample_id
from ratchet.core.preference import BASELINE, CANDIDATE, Pair, Review
from ratchet.core.refs import FolderRef
from ratchet.evaluate.task_file import TaskFile, parse_task
from ratchet.recipes.recipe import Recipe

Row = dict[str, Any]


def make_pairs(
    do: DoStep, world: World, recipe: Recipe, candidate: FolderRef, baseline: FolderRef, task: str, num_samples: int
) -> Review:
    """Measure both models as `compare` does, and keep in the store what raters are to be asked of their answers."""
    _check_task(recipe, task)
    measured = measure(do, world, recipe, candidate, baseline)
    theirs = parse_report(world.store.read_bytes(measured.baseline), "the baseline's report")
    ours = _long_enough(do, world, measured, candidate, task, min(num_samples, _num_samples(theirs, task)))
    asked = next(fields for fields in measured.measuring["tasks"] if fields["name"] == task)
    rows = {sample_id(row): row for row in map(json.loads, world.store.read_bytes(asked["data"]).splitlines())}
    review = draw(ours, theirs, parse_task(task, asked["config_yaml"]), rows, num_samples)
    world.store.create(review_key(digest_json(review)), review)
    return review


def review_key(sha256: str) -> str:
    return f"reviews/{sha256}.json"


def draw(
    candidate: EvalReport, baseline: EvalReport, file: TaskFile, rows: Mapping[str, Mapping[str, Any]], num_samples: int
) -> Review:
    """The first samples in the order of the reports, which is a random one.

    Args:
        rows: the task's data by sample id.
    Raises:
        TerminalError: the task has no answers.
    """
    ours, theirs = (_answered(report, file.name).first(num_samples) for report in (candidate, baseline))
    both = list(zip(ours.sample_ids, ours.answers, theirs.answers, strict=False))
    values = zip(ours.metrics[0].values, theirs.metrics[0].values, strict=False)
    higher_is_better = ours.metrics[0].higher_is_better
    pairs = tuple(
        Pair(
            sample_id=sample,
            prompt=prompt_of(file, rows[sample]),
            candidate=mine.strip(),
            baseline=other.strip(),
            metric_prefers=_preferred(value, before, higher_is_better),
        )
        for (sample, mine, other), (value, before) in zip(both, values, strict=True)
        if mine.strip() != other.strip()
    )
    return Review(
        candidate_sha256=candidate.model_sha256,
        baseline_sha256=baseline.model_sha256,
        task=file.name,
        metric=ours.metrics[0].name,
        config_sha256=theirs.config_sha256,
        data_sha256=theirs.data_sha256,
        sample_ids=tuple(sample for sample, _, _ in both),
        sources=ours.sources,
        pairs=pairs,
    )


def prompt_of(file: TaskFile, row: Mapping[str, Any]) -> str:
    """What the model was asked: as lm-eval reads `doc_to_text`, a field of the row or a template over its fields."""
    from jinja2 import Environment, StrictUndefined

    asked = str(file.config["doc_to_text"])
    templates = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701 - text, not a page
    text = str(row[asked]) if asked in row else templates.from_string(asked).render(row)
    return f"{file.config.get('description', '')}{text}"


def rows_of(review: Review) -> list[Row]:
    """The file's rows. Nothing in them says which side is the candidate's."""
    return [_row(review, digest_json(review), pair) for pair in review.pairs]


def write_pairs(review: Review, path: Path) -> None:
    """Raises TerminalError when there is such a file: somebody's ratings may be in it."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows_of(review))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(lines)
    except FileExistsError as error:
        raise TerminalError(f"{path} is there already, maybe with ratings in it: name another file") from error
    except OSError as error:
        raise TerminalError(f"{path} cannot be written: {error.strerror}") from error


def load_review(store: Store, sha256: str) -> Review | None:
    """None where this store has no such review."""
    content = store.get(review_key(sha256))
    return None if content is None else Review.model_validate_json(content)


def _row(review: Review, review_sha256: str, pair: Pair) -> Row:
    sides = [pair.candidate, pair.baseline]
    a, b = sides if review.shows_candidate_as_a(pair.sample_id) else reversed(sides)
    return {
        "sample_id": pair.sample_id,
        "task": review.task,
        "prompt": pair.prompt,
        "a": a,
        "b": b,
        "rating": None,
        "candidate": review.candidate_sha256,
        "baseline": review.baseline_sha256,
        "task_data": review.data_sha256,
        "review": review_sha256,
    }


def _preferred(value: float | None, before: float | None, higher_is_better: bool) -> float | None:
    if value is None or before is None or value == before:
        return None
    return CANDIDATE if (value > before) == higher_is_better else BASELINE


def _long_enough(
    do: DoStep, world: World, measured: Measured, candidate: FolderRef, task: str, num_samples: int
) -> EvalReport:
    """The candidate's report; on all samples where the gate's stopping rule left too few of this task."""
    report = parse_report(world.store.read_bytes(measured.candidate), "the candidate's report")
    if _num_samples(report, task) >= num_samples:
        return report
    whole = measure_whole(do, measured, candidate)
    return parse_report(world.store.read_bytes(whole), "the candidate's report on all samples")


def _num_samples(report: EvalReport, task: str) -> int:
    return len(_answered(report, task).sample_ids)


def _answered(report: EvalReport, name: str) -> TaskReport:
    tasks = {task.name: task for task in report.tasks}
    if not tasks[name].answers:
        with_answers = sorted(task.name for task in report.tasks if task.answers)
        raise TerminalError(f"task {name} has no answers to prefer: name one of {', '.join(with_answers) or 'none'}")
    return tasks[name]


def _check_task(recipe: Recipe, name: str) -> None:
    known = sorted(task.name for task in recipe.tasks)
    if name not in known:
        raise TerminalError(f"--task {name}: {recipe.line} has no such task; it has {', '.join(known)}")
