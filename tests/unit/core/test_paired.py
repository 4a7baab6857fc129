"""The statistics against published values, an independent computation, and their own promises of level and power."""

import math
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ratchet.core.paired import (
    Pairs,
    exact_p_above,
    holm,
    paired_proportions,
    proportion,
    required_samples,
    score_p_above,
)

ALPHA, POWER = 0.05, 0.8


def bounds(pairs: Pairs, alpha: float) -> tuple[float, float]:
    estimate = paired_proportions(pairs, 0.0, alpha, POWER)
    return estimate.low, estimate.high


@st.composite
def many_pairs(draw: Callable[..., int]) -> Pairs:
    """More than the exact test handles."""
    num_pairs = draw(st.integers(31, 900))
    gained = draw(st.integers(0, num_pairs))
    return Pairs(gained, draw(st.integers(0, num_pairs - gained)), num_pairs)


@st.composite
def few_pairs(draw: Callable[..., int]) -> Pairs:
    num_pairs = draw(st.integers(1, 9))
    gained = draw(st.integers(0, num_pairs))
    return Pairs(gained, draw(st.integers(0, num_pairs - gained)), num_pairs)


# Tango's score interval


@pytest.mark.parametrize(
    ("pairs", "low", "high"),
    [
        # Complete response before and after consolidation therapy, as in Fagerland, Lydersen and Laake 2017, chapter 8.
        (Pairs(6, 16, 161), -0.1240, -0.0054),
        # The widest table of no change: Tango's limits are then ± z² / (n + z²).
        (Pairs(0, 0, 100), -(1.959964**2) / (100 + 1.959964**2), 1.959964**2 / (100 + 1.959964**2)),
    ],
)
def test_the_score_interval_is_the_published_one(pairs, low, high):
    assert bounds(pairs, alpha=0.025) == pytest.approx((low, high), abs=5e-5)


def test_the_score_test_gives_tangos_own_example():
    # Two ways to disinfect contact lenses, 44 pairs, 0 and 1 of them discordant, margin 0.1: Z = 1.709, P = 0.044.
    assert score_p_above(Pairs(0, 1, 44), -0.1) == pytest.approx(0.044, abs=5e-4)


@pytest.mark.parametrize(
    "pairs", [Pairs(274, 3, 500), Pairs(12, 19, 600), Pairs(0, 7, 200), Pairs(40, 40, 80), Pairs(0, 0, 60)]
)
def test_the_bounds_are_where_a_brute_force_score_test_rejects(pairs):
    low, high = bounds(pairs, ALPHA)

    assert brute_force_score(pairs, low) == pytest.approx(1.644854, abs=2e-4)
    assert brute_force_score(pairs, high) == pytest.approx(-1.644854, abs=2e-4)


def brute_force_score(pairs: Pairs, delta: float) -> float:
    """The score statistic with the nuisance found by bisection on the likelihood's slope, not by Tango's formula."""
    gained, lost, ties = pairs.gained, pairs.lost, pairs.num_pairs - pairs.gained - pairs.lost
    low, high = max(0.0, -delta) + 1e-15, (1 - delta) / 2 - 1e-15

    def slope(q: float) -> float:
        return gained / (q + delta) + lost / q - 2 * ties / (1 - delta - 2 * q)

    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    variance = (2 * low + delta - delta**2) / pairs.num_pairs
    return (pairs.difference - delta) / math.sqrt(variance)


# What the tests promise, computed over all tables rather than simulated


def rate(num_pairs: int, gain: float, loss: float, accepts: Callable[[Pairs], bool]) -> float:
    """The probability that `accepts`, when the true shares of gained and lost pairs are these."""
    total = 0.0
    for gained in likely(num_pairs, gain):
        for lost in likely(num_pairs, loss):
            if gained + lost <= num_pairs and accepts(Pairs(gained, lost, num_pairs)):
                total += trinomial(num_pairs, gained, lost, gain, loss)
    return total


def likely(num_pairs: int, share: float) -> range:
    centre, reach = num_pairs * share, 7 * math.sqrt(num_pairs * share + 1)
    return range(max(0, math.floor(centre - reach)), min(num_pairs, math.ceil(centre + reach)) + 1)


def trinomial(n: int, gained: int, lost: int, gain: float, loss: float) -> float:
    ties = n - gained - lost
    parts = ((gained, gain), (lost, loss), (ties, 1 - gain - loss))
    if any(count and not share for count, share in parts):
        return 0.0
    logs = sum(count * math.log(share) - math.lgamma(count + 1) for count, share in parts if count)
    return math.exp(math.lgamma(n + 1) + logs)


@pytest.mark.parametrize("discordance", [0.05, 0.10, 0.24])
@pytest.mark.parametrize(("num_pairs", "margin"), [(500, 0.03), (600, 0.03), (600, 0.05)])
def test_a_candidate_exactly_on_the_margin_passes_no_more_often_than_alpha(num_pairs, margin, discordance):
    gain, loss = (discordance - margin) / 2, (discordance + margin) / 2

    false_pass = rate(num_pairs, gain, loss, lambda pairs: score_p_above(pairs, -margin) < ALPHA)

    assert false_pass <= 1.2 * ALPHA


@pytest.mark.parametrize("discordance", [0.01, 0.05, 0.10, 0.24])
@pytest.mark.parametrize(("num_pairs", "margin"), [(40, 0.03), (500, 0.03), (600, 0.05), (500, 0.0)])
def test_an_equal_candidate_is_blocked_no_more_often_than_alpha(num_pairs, margin, discordance):
    share = discordance / 2

    false_block = rate(num_pairs, share, share, lambda pairs: score_p_above(pairs.mirrored(), margin) < ALPHA)

    assert false_block <= 1.2 * ALPHA


@pytest.mark.parametrize("discordance", [0.0, 0.1, 0.3, 0.8])
@pytest.mark.parametrize(("num_pairs", "delta"), [(6, 0.0), (12, -0.1), (12, 0.1), (15, -0.03)])
def test_the_exact_test_keeps_its_level_whatever_the_nuisance(num_pairs, delta, discordance):
    discordance = max(discordance, abs(delta))
    gain, loss = (discordance + delta) / 2, (discordance - delta) / 2

    false_pass = rate(num_pairs, gain, loss, lambda pairs: exact_p_above(pairs, delta) <= ALPHA)

    assert false_pass <= ALPHA + 1e-4  # the nuisance is searched on a grid


def test_the_exact_test_does_not_give_all_away():
    p_value = exact_p_above(Pairs(9, 1, 20), 0.0)

    assert score_p_above(Pairs(9, 1, 20), 0.0) < p_value < 0.02


def test_an_exact_interval_takes_well_under_two_seconds_at_its_largest():
    low, high = bounds(Pairs(4, 2, 30), ALPHA)

    assert -0.15 < low < 0.067 < high < 0.3


@given(few_pairs(), st.sampled_from([-0.3, -0.1, 0.0, 0.2]))
@settings(max_examples=15, deadline=None)
def test_exact_bounds_and_exact_p_values_agree(pairs, threshold):
    estimate = paired_proportions(pairs, threshold, ALPHA, POWER)

    assert (estimate.low > threshold) == (estimate.p_above < ALPHA)
    assert (estimate.high < threshold) == (estimate.p_below < ALPHA)


@given(many_pairs(), st.floats(-0.5, 0.5))
def test_score_bounds_and_score_p_values_agree(pairs, threshold):
    estimate = paired_proportions(pairs, threshold, ALPHA, POWER)

    if min(abs(estimate.low - threshold), abs(estimate.high - threshold)) > 1e-9:
        assert (estimate.low > threshold) == (estimate.p_above < ALPHA)
        assert (estimate.high < threshold) == (estimate.p_below < ALPHA)


@given(many_pairs(), st.floats(-0.4, 0.4))
@example(Pairs(3, 1, 9), -0.1)
@settings(deadline=None)
def test_swapping_the_models_mirrors_the_interval(pairs, threshold):
    ours = paired_proportions(pairs, threshold, ALPHA, POWER)
    theirs = paired_proportions(pairs.mirrored(), -threshold, ALPHA, POWER)

    assert (ours.low, ours.high) == pytest.approx((-theirs.high, -theirs.low), abs=1e-9)
    assert (ours.p_above, ours.p_below) == pytest.approx((theirs.p_below, theirs.p_above), abs=1e-9)


@given(many_pairs(), st.floats(0, 0.3), st.floats(0, 0.3))
def test_a_wider_margin_never_makes_a_candidate_look_worse(pairs, margin, more):
    assert score_p_above(pairs, -margin - more) <= score_p_above(pairs, -margin) + 1e-12


@given(many_pairs())
def test_bounds_are_around_the_effect_and_inside_the_possible(pairs):
    low, high = bounds(pairs, ALPHA)

    assert -1 <= low <= pairs.difference <= high <= 1


# One sample, means, families of checks


@pytest.mark.parametrize(
    ("num_right", "num_samples", "low", "high"),
    [(13, 16, 0.5435, 0.9595), (10, 10, 0.6915, 1.0), (0, 10, 0.0, 0.3085)],  # Fagerland et al. 2017, chapter 2
)
def test_a_share_has_the_clopper_pearson_interval(num_right, num_samples, low, high):
    estimate = proportion(num_right, num_samples, 0.5, alpha=0.025, power=POWER)

    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("p_values", "believed"),
    [
        ([0.01, 0.04, 0.03, 0.005], {0, 3}),  # 0.005 < α/4, 0.01 < α/3, but 0.03 is not below α/2
        ([0.01, 0.02, 0.03, 0.005], {0, 1, 2, 3}),
        ([0.9, 0.6], set()),
        ([0.04], {0}),
        ([], set()),
    ],
)
def test_holm_believes_step_by_step(p_values, believed):
    assert holm(p_values, level=lambda _, left: ALPHA / left) == believed


# The planner


@pytest.mark.parametrize(("margin", "discordance"), [(0.03, 0.05), (0.03, 0.07), (0.05, 0.2), (0.02, 0.05)])
def test_the_planned_number_of_samples_has_the_planned_power(margin, discordance):
    num_pairs = required_samples(margin, discordance, ALPHA, POWER)
    share = discordance / 2

    power = rate(num_pairs, share, share, lambda pairs: score_p_above(pairs, -margin) < ALPHA)

    assert power == pytest.approx(POWER, abs=0.02)


def test_a_finer_margin_or_a_true_loss_needs_more_samples():
    planned = required_samples(0.03, 0.07, ALPHA, POWER)

    assert planned < required_samples(0.02, 0.07, ALPHA, POWER)
    assert planned < required_samples(0.03, 0.07, ALPHA, POWER, effect=-0.01)
    assert planned < required_samples(0.03, 0.07, ALPHA, power=0.9)


def test_no_number_of_samples_passes_a_candidate_that_is_worse_than_the_margin():
    with pytest.raises(ValueError, match=r"cannot pass a margin of 0\.03"):
        required_samples(0.03, 0.07, ALPHA, POWER, effect=-0.03)
