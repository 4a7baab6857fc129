"""Our task files: the part of lm-eval's task YAML that asks given rows and runs no code.

    task: intent
    output_type: generate_until
    doc_to_text: prompt          # a field of the row, or a Jinja template over its fields
    doc_to_target: answer
    generation_kwargs: {do_sample: false, max_gen_toks: 48, until: []}
    metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
    metadata: {version: "1"}

Where the rows come from is not in the file: the recipe says it, so that a report can name them by digest.
"""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ratchet.core.errors import TerminalError
from ratchet.evaluate.text_metrics import SETTINGS, TEXT_METRICS, TextMetric, problem_of

# Nothing that loads a data set, a metric or code from elsewhere.
TASK_KEYS = {
    "task", "output_type", "doc_to_text", "doc_to_target", "doc_to_choice", "target_delimiter", "description",
    "gen_prefix", "generation_kwargs", "filter_list", "metric_list", "metadata",
}  # fmt: skip
# Ours: what lm-eval itself does not look at.
METADATA_KEYS = {"version", "slices", "source"}
LENGTH = "length"
METRIC_KEYS = {
    "metric", "aggregation", "higher_is_better", "ignore_case", "ignore_punctuation", "ignore_numbers",
    "regexes_to_ignore",
}  # fmt: skip


class BadTask(TerminalError, ValueError):
    """A task file does not say what it must, or says what it may not."""

    code = "TASK_INVALID"


@dataclass(frozen=True)
class TaskFile:
    """`metrics` maps each name to whether higher is better; `fields` are the row's fields that the file names.

    `text_metrics`: those of the metrics that are ours, not lm-eval's.

    `slices`: by what the samples are sliced, fields of the row or "length". `source`: the field that says what a sample
    comes from, where samples share sources and so are not independent.
    """

    name: str
    version: str
    config: Mapping[str, Any]
    metrics: Mapping[str, bool]
    fields: tuple[str, ...]
    text_metrics: tuple[TextMetric, ...] = ()
    slices: tuple[str, ...] = ()
    source: str | None = None


def parse_task(name: str, config_yaml: str) -> TaskFile:
    """Raises BadTask, naming the key, what was expected and the nearest valid name."""
    config = _read(name, config_yaml)
    check_names(f"task {name}", config, TASK_KEYS)
    if config.get("task") != name:
        raise BadTask(f"task {name}: the file's `task` is {config.get('task')!r}; write `task: {name}`")
    metadata = config.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("version") is None:
        raise BadTask(f"task {name}: no metadata.version; write one, and raise it when the task changes")
    for key in ("output_type", "doc_to_text", "doc_to_target"):
        if not isinstance(config.get(key), str):
            raise BadTask(f"task {name}: `{key}` is {config.get(key)!r}, expected text")
    if len(config.get("filter_list", [])) > 1:
        raise BadTask(
            f"task {name}: {len(config['filter_list'])} filters, so a metric would have several values; keep one"
        )
    check_names(f"task {name}, metadata", metadata, METADATA_KEYS)
    slices, source = metadata.get("slices", []), metadata.get("source")
    if not isinstance(slices, list) or not all(isinstance(by, str) for by in slices):
        raise BadTask(f"task {name}: metadata.slices is {slices!r}, expected a list of names, e.g. [answer, length]")
    if not isinstance(source, str | None):
        raise BadTask(f"task {name}: metadata.source is {source!r}, expected the name of a field")
    if LENGTH in slices and not str(config["doc_to_text"]).isidentifier():
        raise BadTask(f"task {name}: slices by {LENGTH} need `doc_to_text` to be a field of the row")
    rows = _metric_rows(name, config.get("metric_list"))
    text_metrics = tuple(_text_metric(name, config, row) for row in rows if row["metric"] in TEXT_METRICS)
    asked = (config.get(key) for key in ("doc_to_text", "doc_to_target", "doc_to_choice"))
    fields = (
        *(key for key in asked if isinstance(key, str) and key.isidentifier()),
        *(by for by in slices if by != LENGTH),
        *([source] if source else []),
        *(named for metric in text_metrics for named in metric.fields),
    )
    return TaskFile(
        name=name,
        version=str(metadata["version"]),
        config=config,
        metrics={row["metric"]: row["higher_is_better"] for row in rows},
        fields=tuple(dict.fromkeys(fields)),
        text_metrics=text_metrics,
        slices=tuple(slices),
        source=source,
    )


def check_names(where: str, given: Collection[str], known: Collection[str]) -> None:
    """Raises BadTask for the first name that is not known, with the nearest one that is."""
    for name in given:
        if name not in known:
            raise BadTask(f"{where}: unknown key {name!r}{nearest(str(name), known)}; known are {sorted(known)}")


def nearest(name: str, known: Collection[str]) -> str:
    """ ", did you mean 'metric'?", or nothing if no known name is near."""
    close = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _read(name: str, config_yaml: str) -> dict[str, Any]:
    try:
        config = yaml.safe_load(config_yaml)  # refuses !function, which would load code
    except yaml.YAMLError as error:
        raise BadTask(f"task {name}: not plain YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise BadTask(f"task {name}: expected a mapping of settings, got {type(config).__name__}")
    return config


def _metric_rows(name: str, rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not rows:
        raise BadTask(f"task {name}: no metric_list; write at least one row of metric, aggregation, higher_is_better")
    names = []
    for row in rows:
        settings = row if isinstance(row, dict) else {}
        known = METRIC_KEYS | SETTINGS if settings.get("metric") in TEXT_METRICS else METRIC_KEYS
        check_names(f"task {name}, metric_list", settings, known)
        if not isinstance(settings.get("metric"), str) or not isinstance(settings.get("higher_is_better"), bool):
            raise BadTask(
                f"task {name}: metric_list has {row}, expected `metric` (text) and `higher_is_better` (a boolean)"
            )
        if settings["metric"] in names:
            raise BadTask(f"task {name}: metric {settings['metric']} is there twice; make a second task of it")
        names.append(settings["metric"])
    return rows


def _text_metric(name: str, config: Mapping[str, Any], row: Mapping[str, Any]) -> TextMetric:
    settings = {key: row[key] for key in SETTINGS if key in row}
    if config["output_type"] != "generate_until":
        raise BadTask(f"task {name}: {row['metric']} reads an answer's text, so output_type must be generate_until")
    if problem := problem_of(row["metric"], settings):
        raise BadTask(f"task {name}: {problem}")
    return TextMetric(row["metric"], settings)
