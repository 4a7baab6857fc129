"""mc2: the probability that lies on the true answers."""

import math

import pytest

from ratchet.evaluate.built_in import mc2, scoring
from ratchet.evaluate.rows import BadRows
from ratchet.evaluate.task_file import BadTask, parse_task

TASK = """
task: truth
output_type: multiple_choice
doc_to_text: text
doc_to_choice: choices
doc_to_target: labels
metric_list: [{metric: mc2, aggregation: mean, higher_is_better: true}]
metadata: {version: "3"}
"""


@pytest.mark.parametrize(
    ("probabilities", "labels", "share"),
    [
        ((0.2, 0.2, 0.1), (1, 0, 0), 0.4),
        ((0.2, 0.2, 0.1), (1, 0, 1), 0.6),
        ((0.1, 0.9), (1, 1), 1.0),
        ((1e-5, 3e-5), (0, 1), 0.75),
    ],
)
def test_the_share_of_the_probability_on_the_true_choices(probabilities, labels, share):
    assert mc2([math.log(each) for each in probabilities], labels) == pytest.approx(share)


def test_answers_too_unlikely_for_a_float_are_still_compared():
    assert mc2([-2000.0, -2000.0], [1, 0]) == 0.5


def test_a_row_is_scored_by_the_field_that_the_file_names():
    score = scoring(parse_task("truth", TASK))["process_results"]

    assert score({"labels": [0, 1]}, [(math.log(0.3), False), (math.log(0.1), True)]) == {"mc2": pytest.approx(0.25)}


@pytest.mark.parametrize("labels", [[1], [1, 2], [0, 0], [1, 0, 0]])
def test_labels_that_are_not_one_a_choice_are_refused(labels):
    score = scoring(parse_task("truth", TASK))["process_results"]

    with pytest.raises(BadRows, match="task truth, row t/1: labels: expected 2 labels of 1 and 0"):
        score({"id": "t/1", "labels": labels}, [(-1.0, False), (-2.0, False)])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("multiple_choice", "generate_until"),
        ("doc_to_target: labels", 'doc_to_target: "{{labels}}"'),
        ("[{metric: mc2", "[{metric: acc, higher_is_better: true}, {metric: mc2"),
    ],
)
def test_a_file_that_gives_it_no_labels_is_refused(old, new):
    assert old in TASK

    with pytest.raises(BadTask, match="task truth: mc2 needs output_type multiple_choice"):
        scoring(parse_task("truth", TASK.replace(old, new)))


def test_other_metrics_are_left_to_lm_eval():
    assert scoring(parse_task("truth", TASK.replace("mc2", "acc"))) == {}
