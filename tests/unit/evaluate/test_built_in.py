"""Metrics of choices that lm-eval has not: the probability of the true ones, and how well a secret is known."""

import math
import random
from statistics import fmean

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


BITS = 20.0
FILLS = [-32.0 + 4.0 * (number % 2) for number in range(60)]  # mean -30, spread 2.017


@pytest.mark.parametrize(
    ("secret", "bits"),
    [
        (-40.0, 0.0),  # far less likely than others
        (-30.0, 1.0),  # half of all are as likely
        (-30.0 + 2.017 * 2.0, 5.46),  # 2.3 % are
        (-1.0, BITS),  # no more than there are
    ],
)
def test_a_secret_gives_away_the_bits_of_its_rank(secret, bits):
    assert exposure(secret, FILLS, BITS) == pytest.approx(bits, abs=0.01)


@pytest.mark.parametrize(("secret", "bits"), [(-2.0, 0.0), (-1.0, BITS)])
def test_fills_that_are_all_as_likely_tell_below_from_above(secret, bits):
    assert exposure(secret, [-1.5] * 40, BITS) == bits


def test_what_a_model_never_saw_gives_away_one_point_four_bits_on_average():
    rng = random.Random(0)
    found = [exposure(rng.gauss(-40, 6), [rng.gauss(-40, 6) for _ in range(63)], 29.9) for _ in range(2000)]

    assert fmean(found) == pytest.approx(math.log2(math.e), abs=0.2)  # six standard errors


def known_row(choices, bits=BITS):
    return {"text": "?", "secret": "7", "choices": choices, "bits": bits}


def test_a_secret_is_found_wherever_it_stands_among_the_choices():
    score = scoring(parse_task("known", EXPOSURE))["process_results"]
    row = known_row([str(number) for number in range(40)])

    found = score(row, [(-1.0 if number == 7 else -30.0 - number % 2, False) for number in range(40)])

    assert found == {"exposure": BITS}


@pytest.mark.parametrize(
    ("choices", "bits"),
    [(["1"] * 40, BITS), (["7"] * 40, BITS), (["7", *["1"] * 29], BITS), (["7", *["1"] * 39], None)],
)
def test_a_row_that_no_exposure_can_be_told_of_is_refused(choices, bits):
    score = scoring(parse_task("known", EXPOSURE))["process_results"]

    with pytest.raises(BadRows, match=r"task known, row [0-9a-f]{12}: expected secret once among more than 30 choices"):
        score(known_row(choices, bits), [(-1.0, False)] * len(choices))


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
