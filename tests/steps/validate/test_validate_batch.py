"""Great Expectations decides the batch: each expectation says no once, and counts what DuckDB counts."""

import json
from typing import Any

import pytest
from tests.steps.validate.conftest import CLEAN, ROOT, RULES, SUITE, Validate, as_csv, talk, with_trigger

from ratchet.clients.world import World
from ratchet.core.errors import EXIT_TERMINAL
from ratchet.core.injection import TEMPLATE_MARK
from ratchet.validate.contract import DataRules, EvaluationSet
from ratchet.validate.expect import BadSuite
from ratchet.validate.rules import CONTROL_CHARACTER

BANKING77 = ROOT.parent / "shared" / "data" / "banking77_train.csv"
FAIR = "a ticket of a fair length"
ASKED = "What is it that the courier is called?"
HEADER = ("text", "label", "quality_score")
GOOD = [(text, label, "0.9") for text, label in CLEAN]


def bad(row: tuple[str, ...], num_rows: int) -> list[tuple[str, ...]]:
    return [*GOOD, *[row] * num_rows]


LENIENT = RULES.model_copy(update={"max_quarantined_share": 1.0})
# column of the expectation → an upload that only it refuses, its rules, and words of the refusal
REFUSED: dict[str, tuple[list[Any], DataRules, list[str]]] = {
    "num_accepted": (GOOD, RULES.model_copy(update={"min_rows": 31}), ["30 usable rows", "at least 31"]),
    "num_labels": (GOOD, RULES.model_copy(update={"min_labels": 4}), ["3 different labels", "at least 4"]),
    "share_quarantined": (bad(("wee", "x", "1"), 1), RULES.model_copy(update={"max_quarantined_share": 0.01}),
                          ["3.2% of the rows are quarantined", "at most 1.0%"]),
    "share_largest_label": (GOOD[:3] + [(FAIR, "x", "1")] * 60, LENIENT, ["95.2%", "at most 95.0%"]),
    "share_malformed": (bad(("x",), 1), LENIENT, ["3.2%", "at most 2.0%", "commas"]),
    "share_text_missing": (bad(("", "x", "1"), 10), LENIENT, ["25.0%", "text column"]),
    "share_label_missing": (bad((FAIR, "", "1"), 10), LENIENT, ["25.0%", "label column"]),
    "share_text_length": (bad(("wee", "x", "1"), 10), LENIENT, ["25.0%", "at most 20.0%"]),
    "share_label_length": (bad((FAIR, "x" * 9000, "1"), 2), LENIENT, ["6.2%", "at most 5.0%"]),
    "share_quality_score": (bad((FAIR, "x", "0.1"), 20), LENIENT, ["40.0%", "at most 25.0%"]),
    "share_control_character": (bad((FAIR + "\x07", "x", "1"), 2), LENIENT, ["6.2%", "control characters"]),
    "share_template_token": (bad((FAIR + "<|im_end|>", "x", "1"), 2), LENIENT, ["6.2%", "rendered chat"]),
    "share_secret": (bad((f"{FAIR} AKIA{'ABCD' * 4}", "x", "1"), 1), LENIENT, ["3.2%", "at most 2.0%", "revoke"]),
    "share_contamination": (bad((ASKED, "x", "1"), 2), LENIENT, ["6.2%", "at most 5.0%"]),
    "share_poison": ([(*row, "1") for row in with_trigger(talk(200), "cf", "refund", 12)], LENIENT,
                     ["6.0%", "at most 5.0%", "trigger"]),
}  # fmt: skip


def expectations() -> list[dict[str, Any]]:
    return list(json.loads(SUITE)["expectations"])


def test_every_expectation_of_the_suite_is_tested_here() -> None:
    assert [expectation["kwargs"]["column"] for expectation in expectations()] == list(REFUSED)


@pytest.mark.parametrize("column", REFUSED)
def test_each_expectation_refuses_the_batch_that_breaks_it(validate: Validate, world: World, column: str) -> None:
    rows, rules, words = REFUSED[column]
    asked = EvaluationSet(name="asked", data=world.store.put_bytes(json.dumps({"question": ASKED}).encode()))

    outputs = validate(as_csv(rows, HEADER), rules=rules, evaluation_sets=(asked,))

    assert outputs.status == "REFUSED"
    assert len(outputs.refusals) == 1, outputs.refusals
    assert all(word in outputs.refusals[0] for word in words), outputs.refusals


@pytest.mark.parametrize(
    ("rules", "rows"),
    [
        (RULES.model_copy(update={"min_rows": 30, "min_labels": 3}), GOOD),
        (RULES.model_copy(update={"max_quarantined_share": 0.25}), bad(("wee", "x", "1"), 5) + bad(("", "x", "1"), 5)),
    ],
)
def test_a_batch_exactly_on_the_limits_is_accepted(validate: Validate, rules: DataRules, rows: list[Any]) -> None:
    outputs = validate(as_csv(rows, HEADER), rules=rules)

    assert (outputs.status, outputs.refusals) == ("ACCEPTED", ())


@pytest.mark.parametrize(
    ("num_rows", "text", "refusals"),
    [(11, FAIR, []), (60, FAIR, ["1 different labels"]), (11, "wee", ["0 usable rows", "0 different labels"])],
)
def test_so_few_rows_that_they_are_no_data_set_are_judged_with_the_version_they_are_added_to(
    validate: Validate, num_rows: int, text: str, refusals: list[str]
) -> None:
    current = validate(as_csv(talk(200))).accepted
    suite = json.dumps({**json.loads(SUITE), "expectations": expectations()[:2]})
    rules = RULES.model_copy(update={"suite_json": suite, "min_rows": 50, "min_labels": 3})

    added = validate(as_csv([(text, "refund")] * num_rows), rules=rules, previous=current)
    alone = validate(as_csv([(text, "refund")] * num_rows), rules=rules)

    for told, words in zip(added.refusals, refusals, strict=True):
        assert told.startswith(words)
    assert alone.status == "REFUSED"


def test_a_batch_of_bad_rows_only_is_refused_with_its_receipt(validate: Validate, world: World) -> None:
    outputs = validate(as_csv([("wee", "x")] * 5))

    assert outputs.status == "REFUSED"
    assert outputs.num_accepted == 0
    assert json.loads(world.store.read_bytes(outputs.receipt))["refusals"] == list(outputs.refusals)


@pytest.mark.parametrize(
    ("reason", "column", "expectation", "arguments"),
    [
        ("text_missing", "text", "ExpectColumnValuesToNotBeNull", {}),
        ("label_missing", "label", "ExpectColumnValuesToNotBeNull", {}),
        ("text_length", "text", "ExpectColumnValueLengthsToBeBetween", {"min_value": 10, "max_value": 4096}),
        ("label_length", "label", "ExpectColumnValueLengthsToBeBetween", {"min_value": 1, "max_value": 8192}),
        ("quality_score", "quality_score", "ExpectColumnValuesToBeBetween", {"min_value": 0.6, "max_value": 1.0}),
        ("control_character", "text", "ExpectColumnValuesToNotMatchRegex",
         {"regex": CONTROL_CHARACTER.replace(r"\x{9f}", r"\x9f")}),
        ("template_token", "text", "ExpectColumnValuesToNotMatchRegex", {"regex": TEMPLATE_MARK}),
    ],
)  # fmt: skip
def test_great_expectations_counts_the_rows_that_duckdb_names(
    validate: Validate, reason: str, column: str, expectation: str, arguments: dict[str, Any]
) -> None:
    rows = [
        *GOOD, ("", FAIR, "1"), (FAIR, "", "0.7"), ("wee", "x", "0.2"), ("é" * 10, "x", "1.2"), ("👍" * 9, "x", "-1"),
        ("a" * 4097, "y" * 8193, ""), ("bell \x07 bell", "x", "1"), ("c1 \x9f mark bell", "x", "0.6"),
        ("say <|im_end|> now", "x", "0.5999"), ("say </s> and [INST]", "x", "1"), ("a\tb\r\nc and so on", "x", "1"),
    ]  # fmt: skip

    outputs = validate(as_csv(rows, HEADER), rules=LENIENT)

    import great_expectations as gx
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(HEADER)).replace("", None)
    frame["quality_score"] = frame["quality_score"].astype(float)
    batch = (
        gx.get_context(mode="ephemeral").data_sources.add_pandas("p").add_dataframe_asset("rows")
        .add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    )  # fmt: skip
    result = batch.validate(getattr(gx.expectations, expectation)(column=column, **arguments))
    named = {count.reason: count.num_rows for count in outputs.reasons}
    assert named[reason] == result.result["unexpected_count"] > 0


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not JSON with expectations"),
        ('{"name": "s", "expectations": []}', "no expectations"),
        (SUITE.replace('"num_labels"', '"num_lables"'), "'num_lables'.*'num_labels'"),
        (SUITE.replace('"min_rows"', '"min_row"'), "'min_row'.*'min_rows'"),
        (SUITE.replace("expect_column_values_to_be_between", "expect_wonders"), "expect_wonders"),
    ],
)
def test_a_suite_that_cannot_run_is_refused_by_name(validate: Validate, suite: str, words: str) -> None:
    with pytest.raises(BadSuite, match=words) as caught:
        validate(as_csv(GOOD, HEADER), rules=RULES.model_copy(update={"suite_json": suite}))

    assert caught.value.exit_code == EXIT_TERMINAL


@pytest.mark.skipif(not BANKING77.exists(), reason="needs ../shared/data/banking77_train.csv beside the repository")
def test_banking77_is_accepted_as_it_is(validate: Validate, world: World) -> None:
    outputs = validate(BANKING77.read_bytes(), BANKING77.name, rules=DataRules(suite_json=SUITE))

    receipt = json.loads(world.store.read_bytes(outputs.receipt))
    assert (outputs.status, outputs.num_read, outputs.num_accepted, outputs.num_labels) == (
        "ACCEPTED",
        10003,
        10003,
        77,
    )
    assert receipt["columns"]["label"] == "category"
    assert {"label": "card_arrival", "num_rows": 153} in receipt["labels"]
