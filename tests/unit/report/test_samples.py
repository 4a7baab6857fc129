import json

import pytest
from tests.unit.report import evidence

from ratchet.core.evaluation import EvalReport, MetricSamples
from ratchet.report.samples import changed_samples, parse_rows

ROWS = evidence.split_rows(20)


def report(right: str) -> EvalReport:
    """`right` has one digit a row: 1 right, 0 wrong, x without a value."""
    made = evidence.eval_report(ROWS[: len(right)], 1.0, seed=0, model="a")
    values = tuple({"1": 1.0, "0": 0.0, "x": None}[digit] for digit in right)
    metric = MetricSamples(name="exact_match", higher_is_better=True, values=values)
    task = made.tasks[0].model_copy(update={"metrics": (metric,)})
    return made.model_copy(update={"tasks": (task,)})


@pytest.mark.parametrize(
    ("baseline", "candidate", "better", "worse"),
    [("0011", "0101", 1, 1), ("0000", "1111", 4, 0), ("1111", "1111", 0, 0), ("0x1x", "1100", 1, 1)],
)
def test_changes_are_counted_on_pairs_that_both_have_a_value(
    baseline: str, candidate: str, better: int, worse: int
) -> None:
    changes = changed_samples(report(candidate), report(baseline), ROWS)

    assert changes is not None
    assert (changes.num_better, changes.num_worse) == (better, worse)
    assert len(changes.shown) == better + worse


@pytest.mark.parametrize(
    ("baseline", "candidate", "kinds"),
    [
        ("0" * 10 + "1" * 10, "1" * 10 + "0" * 10, "wwwwwwwbbb"),
        ("0" * 2 + "1" * 18, "1" * 2 + "0" * 18, "wwwwwwwwbb"),
        ("0" * 18 + "1" * 2, "1" * 18 + "0" * 2, "wwbbbbbbbb"),
        ("1" * 20, "0" * 20, "wwwwwwwwww"),
    ],
)
def test_at_most_ten_are_shown_worse_ones_first(baseline: str, candidate: str, kinds: str) -> None:
    changes = changed_samples(report(candidate), report(baseline), ROWS)

    assert changes is not None
    assert "".join("b" if sample.got_better else "w" for sample in changes.shown) == kinds


def test_a_sample_shows_what_was_asked_expected_and_answered() -> None:
    changes = changed_samples(report("1"), report("0"), ROWS)

    assert changes is not None
    assert changes.shown[0].prompt == ROWS[0]["prompt"]
    assert changes.shown[0].expected == ROWS[0]["answer"]
    assert changes.shown[0].candidate == ROWS[0]["answer"]


def test_where_lower_is_better_a_smaller_value_got_better() -> None:
    def lower(made: EvalReport) -> EvalReport:
        metric = made.tasks[0].metrics[0].model_copy(update={"higher_is_better": False})
        return made.model_copy(update={"tasks": (made.tasks[0].model_copy(update={"metrics": (metric,)}),)})

    changes = changed_samples(lower(report("0")), lower(report("1")), ROWS)

    assert changes is not None
    assert changes.shown[0].got_better


def test_a_task_of_other_rows_has_no_prompts_to_show() -> None:
    assert changed_samples(report("1"), report("0"), [{"id": "9", "prompt": "other", "answer": "x"}]) is None


def test_the_split_is_read_with_line_separators_inside_texts() -> None:
    row = {"id": "1", "prompt": "a\u2028b\x85c", "answer": "x"}

    assert parse_rows(json.dumps(row, ensure_ascii=False).encode() + b"\n") == [row]
