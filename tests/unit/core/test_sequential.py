"""Looks: when they are, and that many of them together err no more often than one."""

import random
from itertools import pairwise

import pytest

from ratchet.core.distributions import normal_cdf, normal_quantile
from ratchet.core.sequential import MIN_SAMPLES, inflation, look_counts, look_level


@pytest.mark.parametrize(
    ("num_samples", "num_looks", "counts"),
    [
        (1000, 4, (250, 500, 750, 1000)),
        (527, 10, (53, 106, 159, 211, 264, 317, 369, 422, 475, 527)),
        (527, 1, (527,)),
        (50, 10, (30, 35, 40, 45, 50)),  # no look before 30 samples
        (30, 10, (30,)),
        (3, 10, (3,)),
    ],
)
def test_looks_are_equal_parts_but_never_tiny(num_samples, num_looks, counts):
    assert look_counts(num_samples, num_looks) == counts
    assert counts[0] >= min(MIN_SAMPLES, num_samples)


def levels(alpha: float, counts: tuple[int, ...]) -> list[float]:
    return [look_level(alpha, counts[: look + 1], counts[-1]) for look in range(len(counts))]


def test_a_single_look_has_all_of_alpha():
    assert look_level(0.05, (500,), 500) == pytest.approx(0.05, abs=1e-9)


def test_the_second_level_is_what_two_correlated_scores_leave():
    # Half of alpha is spent at the half. The scores of both looks correlate by √½; the second boundary follows from
    # the bivariate normal distribution alone, integrated here by the midpoint rule.
    first, second = (normal_quantile(1 - level) for level in levels(0.05, (250, 500)))
    steps, low = 20_000, -8.0
    width = (first - low) / steps
    places = [low + (index + 0.5) * width for index in range(steps)]
    crossing = sum(
        width * 0.3989422804014327 * 2.718281828459045 ** (-x * x / 2) * normal_cdf((x * 0.5**0.5 - second) / 0.5**0.5)
        for x in places
    )

    assert 1 - normal_cdf(first) == pytest.approx(0.025, abs=1e-9)
    assert crossing == pytest.approx(0.025, abs=1e-6)


@pytest.mark.parametrize("counts", [look_counts(1000, 10), look_counts(50, 10), look_counts(200, 3)])
def test_all_looks_together_err_with_probability_alpha(counts):
    boundaries = [normal_quantile(1 - level) for level in levels(0.05, counts)]
    draw, trials, crossed = random.Random(5), 20_000, 0
    for _ in range(trials):
        total, before = 0.0, 0
        for count, boundary in zip(counts, boundaries, strict=True):
            total += draw.gauss(0, (count - before) ** 0.5)
            before = count
            if total / count**0.5 > boundary:
                crossed += 1
                break

    assert crossed / trials == pytest.approx(0.05, abs=0.005)  # three standard errors


def test_levels_never_fall_by_much_and_the_last_one_is_below_alpha():
    found = levels(0.05, look_counts(1000, 10))

    assert all(later > earlier for earlier, later in pairwise(found))
    assert found[0] == pytest.approx(0.005)  # a tenth of alpha at a tenth of the samples
    assert found[-1] < 0.05


def test_more_looks_cost_more_samples_at_most_a_fifth():
    assert inflation(0.05, 0.8, 1) == pytest.approx(1.0, abs=1e-6)
    assert 1.0 < inflation(0.05, 0.8, 2) < inflation(0.05, 0.8, 5) < inflation(0.05, 0.8, 10) < 1.2
