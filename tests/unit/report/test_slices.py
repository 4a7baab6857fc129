"""Slices are compared on the samples that both models were asked, worst losses first."""

import pytest
from tests.unit.core.evaluations import report, task

from ratchet.report.slices import slice_changes

NAMES = ("late",) * 4 + ("refund",) * 4 + ("password",) * 4


def sliced(values, names=NAMES):
    return report(task("intent", list(values), slices={"answer": tuple(names)}))


def test_losses_and_gains_are_told_apart_and_ordered():
    baseline = sliced([1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1])
    candidate = sliced([0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1])

    changes = slice_changes(candidate, baseline)

    assert [(row.name, row.change) for row in changes.worse] == [
        ("password", "-75.0 points"),
        ("late", "-25.0 points"),
    ]
    assert [(row.name, row.show(row.baseline), row.show(row.candidate)) for row in changes.better] == [
        ("refund", "50.0%", "100.0%")
    ]
    assert (changes.num_worse, changes.num_better, changes.num_slices) == (2, 1, 3)


def test_a_candidate_that_was_measured_less_is_compared_on_what_it_was_asked():
    baseline, candidate = sliced([1.0] * 12), sliced([1, 1, 0, 0, 1], NAMES[:5])

    changes = slice_changes(candidate, baseline)

    assert [(row.name, row.num_samples, row.baseline, row.candidate) for row in changes.worse] == [
        ("late", 4, 1.0, 0.5)
    ]
    assert changes.num_slices == 2


def test_a_sample_without_a_value_is_left_out():
    changes = slice_changes(sliced([None, 1, 1, 1, *[1] * 8]), sliced([1] * 12))

    assert changes.worse == ()
    assert changes.num_slices == 3


def test_fewer_errors_are_a_gain():
    errors = report(task("intent", [1.0, 1.0], slices={"answer": ("late", "late")}))
    lower = errors.tasks[0].metrics[0].model_copy(update={"higher_is_better": False})
    before = errors.model_copy(update={"tasks": (errors.tasks[0].model_copy(update={"metrics": (lower,)}),)})
    none = lower.model_copy(update={"values": (0.0, 0.0)})
    after = errors.model_copy(update={"tasks": (errors.tasks[0].model_copy(update={"metrics": (none,)}),)})

    changes = slice_changes(after, before)

    assert [row.gain for row in changes.better] == [pytest.approx(1.0)]


def test_nothing_sliced_is_nothing_to_show():
    assert slice_changes(report(task("intent", [1.0])), report(task("intent", [1.0]))) is None
