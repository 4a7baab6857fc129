"""Great Expectations decides the batch: a suite over the metrics that one DuckDB pass has counted.

The batch is one row with one column per metric (see validate/counts.py). An expectation of the suite:
    {"type": "expect_column_values_to_be_between",
     "kwargs": {"column": "num_accepted", "min_value": {"$PARAMETER": "min_rows"}},
     "meta": {"refusal": "{got} usable rows; at least {min} are needed"}}
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ratchet.core.errors import TerminalError
from ratchet.validate.contract import DataRules

Metrics = Mapping[str, int | float]


class BadSuite(TerminalError, ValueError):
    """The expectation suite cannot be run on the metrics of a batch."""

    code = "RECIPE_INVALID"


def batch_refusals(rules: DataRules, metrics: Metrics) -> tuple[str, ...]:
    """Why the batch is not acceptable, one sentence per expectation that failed. Raises BadSuite."""
    parameters = {
        "min_rows": rules.min_rows,
        "min_labels": rules.min_labels,
        "max_quarantined_share": rules.max_quarantined_share,
    }
    results = _run(_checked(rules.suite_json, metrics, parameters), metrics, parameters)
    return tuple(_refusal(result["expectation_config"], metrics) for result in results if not result["success"])


def _checked(suite_json: str, metrics: Metrics, parameters: Mapping[str, float]) -> dict[str, Any]:
    """The suite as plain data, every name in it known: Great Expectations would find out late, or not at all."""
    try:
        suite: dict[str, Any] = json.loads(suite_json)
        kwargs = [expectation["kwargs"] for expectation in suite["expectations"]]
        columns = {arguments["column"] for arguments in kwargs}
    except (ValueError, KeyError, TypeError) as error:
        raise BadSuite(
            f"the expectation suite is not JSON with expectations on columns ({type(error).__name__}: {error}); "
            "see expectations/support.json"
        ) from error
    if not kwargs:
        raise BadSuite(
            "the expectation suite has no expectations: it would accept anything; see expectations/support.json"
        )
    if unknown := columns - set(metrics):
        raise BadSuite(f"the expectation suite names {sorted(unknown)}, but a batch has {sorted(metrics)}")
    used = {value["$PARAMETER"] for arguments in kwargs for value in arguments.values() if _is_parameter(value)}
    if unknown := used - set(parameters):
        raise BadSuite(
            f"the expectation suite uses the parameters {sorted(unknown)}, but there are {sorted(parameters)}"
        )
    return suite


def _is_parameter(value: object) -> bool:
    return isinstance(value, dict) and "$PARAMETER" in value


def _run(suite: dict[str, Any], metrics: Metrics, parameters: Mapping[str, float]) -> list[dict[str, Any]]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import: nothing leaves this machine
    import great_expectations as gx
    import pandas as pd

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    definition = (
        context.data_sources.add_pandas("uploads")
        .add_dataframe_asset("batch")
        .add_batch_definition_whole_dataframe("one")
    )
    try:
        batch = definition.get_batch({"dataframe": pd.DataFrame([metrics])})
        known = gx.ExpectationSuite(**suite)
        validated = batch.validate(known, expectation_parameters=dict(parameters))
        results: list[dict[str, Any]] = validated.to_json_dict()["results"]
    except Exception as error:  # its exceptions have no common base
        raise BadSuite(f"Great Expectations cannot run the suite: {type(error).__name__}: {error}") from error
    # It only logs expectations that it cannot build, and goes on without them.
    if lost := Counter(_types(suite["expectations"])) - Counter(_types(r["expectation_config"] for r in results)):
        raise BadSuite(
            f"Great Expectations knows no expectation {', '.join(sorted(lost))} with these arguments: expected types "
            "and kwargs as in expectations/support.json"
        )
    for result in results:
        if result["exception_info"].get("raised_exception"):
            raise BadSuite(f"{result['expectation_config']}: {result['exception_info']['exception_message']}")
    return results


def _types(expectations: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(expectation.get("type")) for expectation in expectations]


def _refusal(expectation: Mapping[str, Any], metrics: Metrics) -> str:
    kwargs = expectation["kwargs"]
    column = kwargs["column"]
    words = (expectation.get("meta") or {}).get(
        "refusal"
    ) or f"{column} is {{got}}, against {expectation['type']} {{min}} to {{max}}"
    shown = {"got": metrics[column], "min": kwargs.get("min_value"), "max": kwargs.get("max_value")}
    for name, value in shown.items():
        words = words.replace(f"{{{name}}}", _in_words(column, value))
    return str(words)


def _in_words(column: str, value: float | None) -> str:
    if value is None:
        return "any"
    return f"{value:.1%}" if column.startswith("share_") else f"{value:g}"
