"""The gate's statistics against an independent implementation, on random tables."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from ratchet.core.distributions import binomial_tail, student_cdf, student_quantile
from ratchet.core.means import clustered_mean, mean
from ratchet.core.paired import Pairs, exact_p_above, holm, proportion, score_p_above
from ratchet.core.sequential import look_level

RNG = np.random.default_rng(20261121)
ALPHA, POWER = 0.05, 0.8


@pytest.mark.parametrize(("gained", "lost"), RNG.integers(1, 90, size=(20, 2)).tolist())
def test_without_a_margin_the_score_test_is_mcnemars(gained, lost):
    theirs = mcnemar([[150, gained], [lost, 150]], exact=False, correction=False).pvalue / 2  # one side of it
    ours = score_p_above(Pairs(gained, lost, 300 + gained + lost), 0.0)

    assert min(ours, 1 - ours) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(("gained", "lost"), [(3, 1), (5, 0), (8, 2), (1, 4), (0, 0)])
def test_the_exact_test_is_the_largest_tail_over_the_nuisance(gained, lost):
    """Summed over all tables with scipy's multinomial distribution, on a grid of its own."""
    n, delta = 12, -0.1
    tables = [(g, b) for g in range(n + 1) for b in range(n + 1 - g)]
    score = {(g, b): score_p_above(Pairs(g, b, n), delta) for g, b in tables}
    extreme = [table for table in tables if score[table] <= score[gained, lost] + 1e-12]
    tails = []
    for loss in np.linspace(-delta, (1 - delta) / 2, 1500):
        shares = [loss + delta, loss, max(0.0, 1 - delta - 2 * loss)]
        pmf = stats.multinomial(n, np.clip(shares, 0, 1) / sum(shares)).pmf([(g, b, n - g - b) for g, b in extreme])
        tails.append(pmf.sum())

    assert exact_p_above(Pairs(gained, lost, n), delta) == pytest.approx(max(tails), abs=2e-4)


@pytest.mark.parametrize(
    ("right", "n"), [(int(RNG.integers(0, n + 1)), n) for n in (7, 30, 200, 1319) for _ in range(4)]
)
def test_a_share_has_the_bounds_of_statsmodels(right, n):
    estimate = proportion(right, n, 0.5, ALPHA, POWER)

    assert (estimate.low, estimate.high) == pytest.approx(
        proportion_confint(right, n, 2 * ALPHA, method="beta"), abs=1e-8
    )


@pytest.mark.parametrize("n", [5, 40, 300])
def test_a_symmetric_mean_has_the_p_value_of_scipys_t_test(n):
    half = RNG.normal(0, 1, n)
    values = np.concatenate([0.1 + half, 0.1 - half])
    theirs = stats.ttest_1samp(values, 0.0, alternative="greater").pvalue

    assert mean(values.tolist(), 0.0, ALPHA, POWER).p_above == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("n", [100, 400])
def test_a_skewed_mean_is_bounded_as_by_a_bootstrap(n):
    values = -RNG.exponential(1, n)
    found = stats.bootstrap((values,), np.mean, confidence_level=1 - 2 * ALPHA, method="BCa", rng=RNG)
    estimate = mean(values.tolist(), 0.0, ALPHA, POWER)

    width = estimate.high - estimate.low
    assert estimate.low == pytest.approx(found.confidence_interval.low, abs=0.1 * width)
    assert estimate.high == pytest.approx(found.confidence_interval.high, abs=0.1 * width)
    assert estimate.low <= estimate.value - student_quantile(1 - ALPHA, n - 1) * values.std(ddof=1) / n**0.5


def test_sources_widen_a_mean_as_a_bootstrap_of_sources_does():
    sources = np.repeat(np.arange(60), 5)
    values = RNG.normal(0, 1, 60)[sources] + RNG.normal(0, 0.5, 300)
    estimate = clustered_mean(values.tolist(), [str(source) for source in sources], 0.0, ALPHA, POWER)
    of_sources = values.reshape(60, 5).mean(axis=1)
    resampled = [RNG.choice(of_sources, 60).mean() for _ in range(4000)]

    assert estimate.low == pytest.approx(np.quantile(resampled, ALPHA), abs=0.05)
    assert estimate.high == pytest.approx(np.quantile(resampled, 1 - ALPHA), abs=0.05)


@pytest.mark.parametrize("count", [1, 3, 8, 25])
def test_holm_believes_what_statsmodels_believes(count):
    for _ in range(5):
        p_values = (RNG.random(count) ** 3).tolist()

        believed = holm(p_values, level=lambda _, left: ALPHA / left)

        assert believed == set(np.flatnonzero(multipletests(p_values, ALPHA, method="holm")[0]))


@pytest.mark.parametrize(("shares", "alpha"), [((0.3, 0.6, 1.0), 0.05), ((0.2, 0.5, 1.0), 0.01), ((0.5, 1.0), 0.05)])
def test_the_levels_of_looks_spend_alpha_by_the_multivariate_normal_distribution(shares, alpha):
    counts = tuple(round(1000 * share) for share in shares)
    boundaries = [stats.norm.isf(look_level(alpha, counts[: k + 1], 1000)) for k in range(len(counts))]
    correlation = [[(min(a, b) / max(a, b)) ** 0.5 for b in shares] for a in shares]
    never = stats.multivariate_normal(np.zeros(len(shares)), correlation).cdf(boundaries)

    assert 1 - never == pytest.approx(alpha, abs=2e-5)


@pytest.mark.parametrize("t", [-8.0, -1.7, 0.0, 0.4, 2.2, 12.0])
@pytest.mark.parametrize("df", [1, 4, 29, 700])
def test_distributions_are_scipys(t, df):
    assert student_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), abs=1e-10)
    assert student_quantile(0.97, df) == pytest.approx(stats.t.ppf(0.97, df), abs=1e-6)
    assert binomial_tail(df // 3, df, 0.3) == pytest.approx(stats.binom.sf(df // 3 - 1, df, 0.3), abs=1e-10)
