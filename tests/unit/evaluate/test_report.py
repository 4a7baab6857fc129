"""lm-eval's records become numbers per sample, and what has no number is said."""

import math

import pytest

from ratchet.core.evaluation import sample_id
from ratchet.evaluate.report import MissingMetric, scores, standard_error, task_report
from ratchet.evaluate.task_file import TaskFile

TASK = TaskFile(
    name="intent",
    version="1",
    config={"output_type": "generate_until"},
    metrics={"exact_match": True},
    fields=("prompt", "answer"),
)
ROWS = [{"prompt": f"question {number}", "answer": str(number)} for number in range(4)]


def records(*values: object) -> list[dict[str, object]]:
    return [
        {"doc_id": number, "resps": [[f"text {number}"]], "metrics": ["exact_match"], "exact_match": value}
        for number, value in enumerate(values)
    ]


def test_a_report_keeps_each_samples_name_value_and_answer():
    report = task_report(TASK, ROWS, "d" * 64, records(1, 0.0, True, 1.0))

    assert report.metrics[0].values == (1.0, 0.0, 1.0, 1.0)
    assert report.answer_of()[sample_id({"answer": "2", "prompt": "question 2"})] == "text 2"
    assert len(set(report.sample_ids)) == 4
    (score,) = scores(report)
    assert (score.task, score.metric, score.value, score.num_samples) == ("intent", "exact_match", 0.75, 4)
    assert score.stderr == pytest.approx(0.25)


def test_a_task_that_generates_nothing_has_no_answers():
    choice = TaskFile("intent", "1", {"output_type": "multiple_choice"}, {"exact_match": True}, ())

    assert task_report(choice, ROWS, "d" * 64, records(1, 0, 1, 0)).answers == ()


@pytest.mark.parametrize("value", [math.nan, math.inf, None, (1.0, 2), "many"])
def test_a_sample_without_a_finite_number_is_kept_as_missing(value):
    report = task_report(TASK, ROWS, "d" * 64, records(1, value, 1, 0))

    assert report.metrics[0].values == (1.0, None, 1.0, 0.0)
    assert scores(report)[0].num_samples == 3


def test_a_metric_without_any_number_is_an_error_that_names_task_and_metric():
    with pytest.raises(MissingMetric, match="task intent: metric 'exact_match' has no number for any of 4 samples"):
        task_report(TASK, ROWS, "d" * 64, records(*[math.nan] * 4))


def test_a_metric_that_lm_eval_does_not_report_is_an_error():
    with pytest.raises(MissingMetric, match="has no number"):
        task_report(TASK, ROWS, "d" * 64, [{"resps": [["x"]], "metrics": ["f1"]}] * 4)


def test_rows_that_lm_eval_did_not_answer_are_an_error():
    with pytest.raises(MissingMetric, match="4 rows were asked, lm-eval reported 3"):
        task_report(TASK, ROWS, "d" * 64, records(1, 1, 1))


def test_the_standard_error_is_that_of_the_mean():
    assert standard_error([1.0, 0.0, 1.0, 1.0]) == pytest.approx(math.sqrt(0.1875 / 3))
    assert standard_error([1.0]) == 0.0
