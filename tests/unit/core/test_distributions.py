"""Against printed tables and identities, not against another program."""

import math

import pytest

from ratchet.core.distributions import (
    binomial_tail,
    incomplete_beta,
    normal_cdf,
    normal_quantile,
    root,
    student_cdf,
    student_quantile,
)


@pytest.mark.parametrize(
    ("probability", "degrees_of_freedom", "t"),
    [(0.95, 1, 6.314), (0.975, 4, 2.776), (0.95, 10, 1.812), (0.99, 30, 2.457), (0.95, 120, 1.658), (0.05, 10, -1.812)],
)
def test_student_quantiles_are_those_of_the_printed_table(probability, degrees_of_freedom, t):
    assert student_quantile(probability, degrees_of_freedom) == pytest.approx(t, abs=6e-4)


def test_student_with_one_degree_of_freedom_is_cauchy():
    for t in (-30.0, -1.0, 0.0, 0.3, 2.0, 400.0):
        assert student_cdf(t, 1) == pytest.approx(0.5 + math.atan(t) / math.pi, abs=1e-12)
    assert (student_cdf(-math.inf, 3), student_cdf(math.inf, 3)) == (0.0, 1.0)


def test_student_with_many_degrees_of_freedom_is_normal():
    assert student_cdf(1.3, 1e7) == pytest.approx(normal_cdf(1.3), abs=1e-7)
    assert normal_quantile(0.95) == pytest.approx(1.6448536, abs=1e-7)


@pytest.mark.parametrize(("num_trials", "probability"), [(1, 0.3), (10, 0.3), (40, 0.02), (600, 0.61)])
def test_binomial_tails_are_sums_of_their_terms(num_trials, probability):
    terms = [
        math.comb(num_trials, k) * probability**k * (1 - probability) ** (num_trials - k) for k in range(num_trials + 1)
    ]

    for successes in {0, 1, num_trials // 3, num_trials}:
        assert binomial_tail(successes, num_trials, probability) == pytest.approx(
            math.fsum(terms[successes:]), abs=1e-12
        )
    assert binomial_tail(num_trials + 1, num_trials, probability) == 0.0


def test_the_incomplete_beta_function_is_symmetric_and_bounded():
    for x, a, b in ((0.1, 2.0, 7.5), (0.5, 300.0, 300.0), (0.93, 0.5, 12.0)):
        assert incomplete_beta(x, a, b) == pytest.approx(1 - incomplete_beta(1 - x, b, a), abs=1e-12)
    assert (incomplete_beta(0.0, 2, 3), incomplete_beta(1.0, 2, 3)) == (0.0, 1.0)


@pytest.mark.parametrize(("low", "high", "found"), [(0.0, 4.0, math.sqrt(2)), (2.0, 4.0, 2.0), (-1.0, 1.0, 1.0)])
def test_a_root_outside_the_range_is_its_nearer_end(low, high, found):
    assert root(lambda x: x * abs(x) - 2, low, high) == pytest.approx(found, abs=1e-10)
