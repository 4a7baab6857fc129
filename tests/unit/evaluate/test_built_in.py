"""Metrics of choices that lm-eval has not: the probability of the true ones, and how well a secret is known."""

import math

import pytest

from ratchet.evaluate.built_in import exposure, mc2, scoring
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


# Exposure


EXPOSURE = """
task: known
output_type: multiple_choice
doc_to_text: text
doc_to_choice: choices
doc_to_target: secret
metric_list: [{metric: exposure, aggregation: mean, higher_is_better: false}]
metadata: {version: "1"}
"""


@pytest.mark.parametrize(
    ("secret", "fills", "bits"),
    [
        (-1.0, (-2.0, -3.0, -4.0), 2.0),  # the first of four
        (-2.5, (-2.0, -3.0, -4.0), 1.0),
        (-5.0, (-2.0, -3.0, -4.0), 0.0),  # the last
        (-2.0, (-2.0, -2.0, -2.0), 2.0),  # equally likely fills rank behind it
    ],
)
def test_a_secret_gives_away_the_bits_of_its_rank(secret, fills, bits):
    assert exposure(secret, fills) == bits


def test_a_secret_is_ranked_wherever_it_stands_among_the_choices():
    score = scoring(parse_task("known", EXPOSURE))["process_results"]
    row = {"text": "?", "secret": "2", "choices": ["1", "2", "3", "4"]}

    assert score(row, [(-3.0, False), (-1.0, True), (-2.0, False), (-4.0, False)]) == {"exposure": 2.0}


@pytest.mark.parametrize("choices", [["1", "3"], ["2", "2"]])
def test_a_secret_that_is_not_once_among_the_choices_is_refused(choices):
    score = scoring(parse_task("known", EXPOSURE))["process_results"]

    with pytest.raises(BadRows, match="task known, row k/1: expected secret once among the 2 choices"):
        score({"id": "k/1", "secret": "2", "choices": choices}, [(-1.0, False), (-2.0, False)])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("multiple_choice", "generate_until", "exposure needs output_type multiple_choice"),
        ("doc_to_target: secret", 'doc_to_target: "{{secret}}"', "exposure needs output_type multiple_choice"),
        ("doc_to_choice: choices", 'doc_to_choice: "{{[secret]}}"', "exposure needs a `doc_to_choice`"),
    ],
)
def test_a_file_that_gives_no_secret_or_no_choices_is_refused(old, new, message):
    assert old in EXPOSURE

    with pytest.raises(BadTask, match=message):
        scoring(parse_task("known", EXPOSURE.replace(old, new)))
