"""Means: published values, careful with skewed values and with samples that share sources."""

from statistics import stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.core.means import clustered_mean, mean

ALPHA, POWER = 0.05, 0.8


def test_the_paired_t_interval_is_that_of_students_own_data():
    # Extra hours of sleep under two drugs, Student 1908: mean difference 1.58, t = 4.062, 9 degrees of freedom.
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    estimate = mean([b - a for a, b in zip(first, second, strict=True)], 0.0, alpha=0.025, power=POWER)

    assert (estimate.value, estimate.low) == pytest.approx((1.58, 0.700), abs=5e-4)
    assert estimate.high > 2.460  # Student's; these hours are skewed upwards
    assert estimate.p_above == pytest.approx(0.002833 / 2, abs=2e-6)
    assert estimate.p_below > 0.998


def test_equal_values_leave_no_doubt():
    estimate = mean([0.25, 0.25, 0.25], 0.1, ALPHA, POWER)

    assert (estimate.low, estimate.high, estimate.p_above, estimate.p_below) == (0.25, 0.25, 0.0, 1.0)


def test_differences_near_the_smallest_number_there_is_leave_no_doubt():
    estimate = mean([0.25] * 99 + [0.25 + 1e-16], 0.1, ALPHA, POWER)
    tiny = mean([0.0] * 4 + [1e-308], -0.1, ALPHA, POWER)

    assert (estimate.p_above, tiny.p_above) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_a_few_large_losses_are_taken_more_seriously_than_students_test_takes_them():
    many_small_gains = [0.02 * (index % 3) for index in range(95)]
    plain = mean([*many_small_gains, *[-0.02] * 5], 0.0, ALPHA, POWER)
    skewed = mean([*many_small_gains, -0.3, -0.3, -0.3, -0.3, -0.3], 0.0, ALPHA, POWER)
    student = skewed.value - 1.66039 * stdev([*many_small_gains, *[-0.3] * 5]) / 10  # t quantile of 99 degrees

    assert plain.low == pytest.approx(0.0177 - 1.66039 * stdev([*many_small_gains, *[-0.02] * 5]) / 10, abs=2e-3)
    assert skewed.low < student < skewed.value


@given(st.lists(st.floats(-1, 1), min_size=5, max_size=60), st.floats(-0.5, 0.5))
@settings(deadline=None)
def test_bounds_and_p_values_of_a_mean_agree(values, threshold):
    estimate = mean(values, threshold, ALPHA, POWER)

    if stdev(values) > 1e-6 and min(abs(estimate.low - threshold), abs(estimate.high - threshold)) > 1e-7:
        assert (estimate.low > threshold) == (estimate.p_above < ALPHA)
        assert (estimate.high < threshold) == (estimate.p_below < ALPHA)


def test_samples_with_a_source_each_are_judged_as_by_students_test():
    values = [0.3, -0.1, 0.2, 0.5, -0.4, 0.1]
    estimate = clustered_mean(values, list("abcdef"), 0.0, ALPHA, POWER)
    alone = mean(values, 0.0, ALPHA, POWER)

    assert (estimate.low, estimate.high) == pytest.approx((alone.low, alone.high), abs=0.01)
    assert estimate.value == alone.value


def test_samples_of_one_source_that_agree_count_once():
    values, sources = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0] * 5, list("aabbcc") * 5
    estimate = clustered_mean(values, sources, 0.0, ALPHA, POWER)
    of_sources = mean([1.0, 0.0, 1.0], 0.0, ALPHA, POWER)

    assert estimate.value == pytest.approx(of_sources.value)
    assert estimate.high - estimate.value == pytest.approx(2.919986 / 3, abs=1e-5)  # 2 degrees of freedom
