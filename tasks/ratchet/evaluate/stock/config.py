"""What a stock task's settings become in a task file, and why some cannot: pure, on lm-eval's settings as a mapping."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ratchet.core.errors import TerminalError
from ratchet.evaluate.built_in import MC2
from ratchet.evaluate.task_file import METRIC_KEYS, nearest

Config = Mapping[str, Any]

# Per output type, the metrics that lm-eval computes sample by sample from the answers alone.
METRICS = {
    "multiple_choice": ("acc", "acc_norm", "acc_bytes"),
    "generate_until": ("exact_match",),
    "loglikelihood": ("acc", "perplexity"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
}
FILTERS = ("regex", "remove_whitespace", "lowercase", "uppercase", "map", "take_first")
_MC2_CODE = "process_results_mc2"
_DEFAULT_DELIMITER = " "


class Unsupported(TerminalError, ValueError):
    """A stock task asks or scores in a way that a task file cannot say."""

    code = "TASK_INVALID"


@dataclass(frozen=True)
class Shape:
    """What the rows of an imported task hold beside text and answer.

    `system`: the description, which lm-eval puts into a system message. `examples`: those of a few-shot prompt.
    `many_texts`: the choices are texts that end alike (winogrande), not endings of one text.
    """

    system: bool = False
    examples: bool = False
    many_texts: bool = False


def check_supported(name: str, config: Config, num_fewshot: int | None = None) -> None:
    """`config` as the task's YAML says it, functions by name, or as lm-eval loaded it. Raises Unsupported."""
    if why := _why_not(config):
        raise Unsupported(f"{name} cannot be imported: {why}")
    if num_fewshot and config.get("num_fewshot") == 0:
        raise Unsupported(
            f"{name} takes no other examples than those in its own text (num_fewshot: 0): leave --num-fewshot out"
        )


def asks_mc2(config: Config) -> bool:
    return _code_name(config.get("process_results")) == _MC2_CODE


def chosen_filter(name: str, config: Config, wanted: str | None) -> tuple[str, list[dict[str, Any]]]:
    """The filter's name as lm-eval reports it, and our `filter_list`: the wanted one, or the task's first.

    Raises Unsupported, with the names there are.
    """
    filters = {each["name"]: each for each in config.get("filter_list") or []}
    if wanted is not None and wanted not in filters:
        raise Unsupported(
            f"{name} has no filter {wanted!r}{nearest(wanted, filters)}; it has {', '.join(filters) or 'none'}"
        )
    if not filters:
        return "none", []
    chosen = filters[wanted or next(iter(filters))]
    if unknown := [_code_name(step["function"]) for step in chosen["filter"] if step["function"] not in FILTERS]:
        raise Unsupported(
            f"{name} reads answers by {', '.join(unknown)}, which a task file cannot do (it can {', '.join(FILTERS)}); "
            f"its filters are {', '.join(filters)}: take another by --filter"
        )
    return chosen["name"], [{"name": chosen["name"], "filter": [dict(step) for step in chosen["filter"]]}]


def our_metrics(name: str, config: Config, higher_is_better: Mapping[str, bool]) -> tuple[list[dict[str, Any]], str]:
    """Our `metric_list`, and a note on what was left out of lm-eval's. Raises Unsupported when nothing is left.

    Args:
        higher_is_better: per metric of the loaded task; some stock files leave it to lm-eval's own table.
    """
    if asks_mc2(config):
        return [{"metric": MC2, "aggregation": "mean", "higher_is_better": True}], ""
    known = METRICS[config["output_type"]]
    kept, left_out = [], []
    for metric, better in higher_is_better.items():
        row = next((row for row in config.get("metric_list") or [] if row["metric"] == metric), {"metric": metric})
        if metric in known and set(row) <= METRIC_KEYS | {"hf_evaluate"} and not row.get("hf_evaluate"):
            settings = {key: value for key, value in row.items() if key in METRIC_KEYS and not callable(value)}
            kept.append({**settings, "higher_is_better": better})
        else:
            left_out.append(metric)
    if not kept:
        raise Unsupported(
            f"{name} is scored by {', '.join(left_out)}, which takes code of its own, or all samples together; "
            f"for {config['output_type']} tasks this knows {', '.join(known)}"
        )
    return kept, f"left out, since a task file cannot say it: {', '.join(left_out)}" if left_out else ""


def our_config(
    name: str,
    config: Config,
    shape: Shape,
    *,
    version: str,
    metric_list: Sequence[Mapping[str, Any]],
    filter_list: Sequence[Mapping[str, Any]],
    slices: Sequence[str],
) -> dict[str, Any]:
    """The task file: the stock task's settings, with fields of our rows in place of its templates and code."""
    kind = config["output_type"]
    made: dict[str, Any] = {"task": name, "output_type": kind}
    if shape.system:
        made["description"] = "{{shown.system}}"
    made |= _fields(config, shape)
    if (config.get("target_delimiter") or "") != _DEFAULT_DELIMITER:
        made["target_delimiter"] = config.get("target_delimiter") or ""
    if config.get("gen_prefix"):
        made["gen_prefix"] = config["gen_prefix"]
    if kind == "generate_until":
        made["generation_kwargs"] = dict(config["generation_kwargs"])
        if filter_list:
            made["filter_list"] = list(filter_list)
    metadata: dict[str, Any] = {"version": version}
    if slices:
        metadata["slices"] = list(slices)
    return {**made, "metric_list": list(metric_list), "metadata": metadata}


def our_name(name: str) -> str:
    """A recipe's task is named in small letters, digits, _ and -."""
    return re.sub(r"[^a-z0-9_-]", "_", name.lower())


def check_known(name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise Unsupported(f"lm-eval has no task {name!r}{nearest(name, known)}; all of them: `lm_eval ls tasks`")


def _fields(config: Config, shape: Shape) -> dict[str, str]:
    if config["output_type"] == "loglikelihood_rolling":
        return {"doc_to_text": "", "doc_to_target": "text"}
    if shape.many_texts:
        return {"doc_to_text": "answer", "doc_to_choice": "choices", "doc_to_target": "continuation"}
    fields = {"doc_to_text": "{{shown.examples}}{{text}}" if shape.examples else "text"}
    if config["output_type"] == "multiple_choice":
        fields["doc_to_choice"] = "choices"
    return {**fields, "doc_to_target": "labels" if asks_mc2(config) else "answer"}


def _why_not(config: Config) -> str | None:
    scored_by = _code_name(config.get("process_results"))
    reasons: Sequence[tuple[bool, str]] = (
        ("class" in config, f"it is written in Python ({_code_name(config.get('class'))}), not in settings"),
        (bool(config.get("unsafe_code")), "it runs the code that a model writes"),
        (bool(config.get("doc_to_image") or config.get("doc_to_audio")), "it shows images or sounds"),
        (bool(config.get("custom_dataset")), "its data are made by code for each model, not read"),
        (bool(config.get("use_prompt")), "its prompts come from promptsource"),
        ((config.get("repeats") or 1) > 1, f"it asks every question {config.get('repeats')} times"),
        ("{" in (config.get("gen_prefix") or ""), "the beginning of its answers is a template"),
        (
            scored_by not in ("", _MC2_CODE),
            f"it is scored by code of its own, {scored_by}; a task file has lm-eval's metrics and {MC2}",
        ),
        (
            (config.get("output_type") or "generate_until") not in METRICS,
            f"its output type is {config.get('output_type')}",
        ),
    )
    return next((reason for applies, reason in reasons if applies), None)


def _code_name(code: str | Callable[..., Any] | type | None) -> str:
    """A function's name, of the function itself or of the path that stands for it where it is not loaded."""
    return code.rpartition(".")[2] if isinstance(code, str) else getattr(code, "__name__", "")
