"""The gate's judgement of ratings: edges on both sides, how often it errs, and when it does not judge."""

import math
import random
from collections import Counter

import pytest
from tests.fakes.events import sha
from tests.unit.core.preferences import evaluations, judged, rated

from ratchet.core.checks import Check, CheckResult, GatePolicy, PreferenceCheck, join
from ratchet.core.comparison import UnknownMetric, compare
from ratchet.core.preference import BadPreferences, PreferenceReport
from ratchet.core.preference_checks import judge_preferences, preference

KEPT = Check(name="kept", task="intent", metric="exact_match", kind="no_regression", margin=0.03)
ALPHA = 0.05


def policy(*checks: PreferenceCheck) -> GatePolicy:
    return GatePolicy(num_looks=1, checks=(KEPT,), preferences=checks)


def check(**fields: object) -> PreferenceCheck:
    content = {"name": "people like it", "task": "intent", "rater": "people"}
    return PreferenceCheck.model_validate({**content, **fields})


def one(report: PreferenceReport | None, **fields: object) -> CheckResult:
    ratings = [report] if report else []
    (result,) = judge_preferences(policy(check(**fields)), ratings, *evaluations())
    return result


@pytest.mark.parametrize(
    ("wins", "losses", "verdict"),
    [
        (60, 60, "PASS"),
        (60, 80, "PASS"),  # the lower bound is 45.1 %
        (60, 81, "INCONCLUSIVE"),  # … and now 44.9
        (60, 126, "INCONCLUSIVE"),
        (60, 127, "FAIL"),
        (150, 60, "PASS"),
        (0, 0, "PASS"),
    ],
)
def test_a_mean_preference_is_judged_by_its_bound(wins, losses, verdict):
    result = one(rated(wins, losses, 400))

    assert result.verdict == verdict
    assert (result.low > 0.45) == (verdict == "PASS")
    assert result.candidate == pytest.approx(0.5 + (wins - losses) / 800)
    assert (result.threshold, result.num_samples, result.effect) == (0.45, 400, None)


def test_the_bounds_are_those_of_a_paired_difference_in_units_of_preference():
    result = one(rated(12, 9, 50))

    assert (result.low, result.high) == (pytest.approx(0.4539, abs=2e-3), pytest.approx(0.606, abs=2e-3))


def test_few_samples_are_judged_exactly():
    assert one(rated(10, 0, 10)).verdict == "PASS"
    assert one(rated(0, 0, 10)).verdict == "INCONCLUSIVE"
    assert one(rated(0, 5, 10)).verdict == "INCONCLUSIVE"
    assert one(rated(0, 6, 10)).verdict == "FAIL"


@pytest.mark.parametrize(("num_samples", "decided"), [(20, 0.6), (45, 0.3), (120, 0.8), (400, 0.2)])
def test_a_candidate_on_the_margin_passes_no_more_often_than_alpha_says(num_samples, decided):
    """`decided`: the share of samples that are no ties. Also from below: an equal one fails no more often."""
    rng, trials, margin = random.Random(20260101), 2000, 0.1
    tables = Counter(
        tuple(
            Counter(rng.choices((1.0, 0.0, 0.5), _shares(decided, margin), k=num_samples))[value]
            for value in (1.0, 0.0)
        )
        for _ in range(trials)
    )
    estimates = {
        (wins, losses): preference(
            (1.0,) * wins + (0.0,) * losses + (0.5,) * (num_samples - wins - losses), (), margin, ALPHA, 0.8
        )
        for wins, losses in tables
    }
    passed = sum(times for table, times in tables.items() if estimates[table].p_above < ALPHA)
    failed = sum(times for table, times in tables.items() if estimates[table].p_below < ALPHA)
    noise = 3 * math.sqrt(ALPHA * (1 - ALPHA) / trials)

    assert passed / trials <= ALPHA + noise
    assert failed / trials <= ALPHA + noise


def _shares(decided: float, margin: float) -> tuple[float, float, float]:
    """Of wins, losses and ties, where the mean preference is exactly one half less the margin."""
    return decided / 2 - margin, decided / 2 + margin, 1 - decided


def test_what_is_not_rated_counts_against_either_verdict():
    assert one(rated(60, 60, 400)).verdict == "PASS"
    assert one(rated(60, 20, 400, num_unrated=40)).verdict == "PASS"  # even if all of them were lost
    assert one(rated(60, 40, 400, num_unrated=50)).verdict == "INCONCLUSIVE"
    assert one(rated(20, 150, 400)).verdict == "FAIL"
    assert one(rated(20, 150, 400, num_unrated=100)).verdict == "INCONCLUSIVE"
    assert "50 pairs are not rated and count against" in one(rated(60, 40, 400, num_unrated=50)).reason


def test_samples_that_share_sources_say_less():
    alone = rated(100, 101, 400)
    sources = tuple(f"ticket {n // 8}" for n in range(400))

    assert one(alone).verdict == "PASS"
    assert one(alone.model_copy(update={"sources": sources})).verdict == "INCONCLUSIVE"


def test_few_sources_are_no_grounds_to_judge():
    result = one(rated(100, 0, 400, sources=tuple(f"ticket {n // 20}" for n in range(400))))

    assert result.verdict == "INCONCLUSIVE"
    assert result.reason == (
        "intent: the ratings have 20 sources of samples, and at least 40 are asked: too little to judge"
    )


def test_without_ratings_the_reason_is_the_commands_that_make_them():
    result = one(None)

    assert (result.verdict, result.blocks, result.num_samples, result.num_planned) == ("INCONCLUSIVE", True, 0, 400)
    assert "intent: no ratings by people; make some by `ratchet review pairs " in result.reason
    assert "--task intent --out pairs.jsonl`, then `ratchet review ratings pairs.jsonl --by NAME`" in result.reason
    assert "`ratchet review judge pairs.jsonl --url URL --model NAME`" in one(None, rater="judge").reason


def test_a_judges_ratings_are_not_peoples():
    assert one(judged(100, 0, 400)).verdict == "INCONCLUSIVE"
    assert one(judged(100, 0, 400), rater="judge").verdict == "PASS"


@pytest.mark.parametrize(
    "stale",
    [
        {"sample_ids": tuple(f"intent-{n}" for n in range(1, 401))},
        {"sample_ids": tuple(f"intent-{n}" for n in reversed(range(400)))},
        {"config_sha256": sha("another prompt")},
    ],
    ids=["other samples", "another order", "another task file"],
)
def test_ratings_of_what_is_no_longer_asked_prove_nothing(stale):
    result = one(rated(400, 0, 400, **stale))

    assert result.verdict == "INCONCLUSIVE"
    assert "newest ratings are of other samples by people; make some by" in result.reason


def test_ratings_of_other_models_are_refused():
    with pytest.raises(BadPreferences, match="the ratings by mia are of candidate"):
        one(rated(10, 0, 400, candidate_sha256=sha("another")))


def test_a_task_that_nobody_evaluated_is_named():
    with pytest.raises(UnknownMetric, match=r"names task 'sums', but the baseline's report has \['intent'\]"):
        one(None, task="sums")


def test_a_judges_reason_says_how_far_to_trust_it():
    reason = one(judged(60, 60, 400, num_by_position=7, num_compared=20, num_agreed=15), rater="judge").reason

    assert reason.startswith(
        "intent: the judge prefers the candidate in 60 of 400 samples and the baseline in 60 (mean"
    )
    assert (
        "rated by arbiter; position decided 7 of 120 pairs, 0 had no verdict, it agrees with exact_match on 15 of"
        in (reason)
    )
    assert "the 20 that this tells apart (75%, 95% interval 51% to 91%)" in reason


@pytest.mark.parametrize(("num_by_position", "verdict"), [(50, "PASS"), (51, "INCONCLUSIVE")])
def test_a_judge_that_is_led_by_position_more_often_than_not_is_no_judge(num_by_position, verdict):
    """Its ties would prove any two models alike."""
    asked = judged(50, 50, 400, num_by_position=num_by_position - 10, num_unreadable=10)

    result = one(asked, rater="judge")

    assert result.verdict == verdict
    assert ("arbiter is no judge of these answers" in result.reason) == (verdict == "INCONCLUSIVE")


def test_ratings_that_fail_block_and_those_that_only_report_do_not():
    bad = rated(20, 200, 400)
    for blocks, verdict in ((True, "FAIL"), (False, "PASS")):
        asked = policy(check(blocks=blocks))
        found = (
            *compare(*evaluations(), asked, baseline_is_bootstrap=False),
            *judge_preferences(asked, [bad], *evaluations()),
        )

        assert [result.verdict for result in found] == ["PASS", "FAIL"]
        assert join(found) == verdict


def test_measured_checks_and_ratings_share_the_error_rate_of_fail():
    blocking, reporting = policy(check()), policy(check(blocks=False))

    assert (blocking.measured_share, reporting.measured_share) == (0.5, 1.0)
    # 2.5 % is asked of a blocking one, 5 % of one that only reports
    between = rated(60, 124, 400)
    (strict,) = judge_preferences(blocking, [between], *evaluations())
    (single,) = judge_preferences(reporting, [between], *evaluations())
    assert (strict.verdict, single.verdict) == ("INCONCLUSIVE", "FAIL")


def test_names_are_unique_over_both_kinds_of_checks():
    with pytest.raises(ValueError, match=r"checks share a name: \['kept'\]"):
        policy(check(name="kept"))
