"""The judgement of single checks: edges on both sides, the sentences, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ratchet.core.checks import Check, CheckKind, CheckResult, Verdict, join
from ratchet.core.evaluation import MetricSamples
from ratchet.core.judgement import judge
from ratchet.core.questions import Question

ALPHA, POWER = 0.05, 0.8


def samples(values: list[float | None], higher_is_better: bool = True) -> MetricSamples:
    return MetricSamples(name="exact_match", higher_is_better=higher_is_better, values=tuple(values))


def check(kind: CheckKind = "no_regression", **fields: object) -> Check:
    return Check.model_validate({"name": "a check", "task": "intent", "metric": "exact_match", "kind": kind, **fields})


def shares(
    gained: int, lost: int, num_samples: int = 500, right_on_both: int = 200
) -> tuple[MetricSamples, MetricSamples]:
    """Candidate and baseline with so many samples that only one of them gets right."""
    wrong_on_both = num_samples - right_on_both - gained - lost
    candidate = [1.0] * right_on_both + [0.0] * wrong_on_both + [1.0] * gained + [0.0] * lost
    baseline = [1.0] * right_on_both + [0.0] * wrong_on_both + [0.0] * gained + [1.0] * lost
    return samples(list(candidate)), samples(list(baseline))


def one(question: Question) -> CheckResult:
    (result,) = judge([question], ALPHA, POWER)
    return result


@pytest.mark.parametrize(
    ("kind", "margin", "gained", "lost", "verdict"),
    [
        ("no_regression", 0.03, 10, 10, "PASS"),
        ("no_regression", 0.03, 14, 19, "PASS"),  # the lower bound is −2.98 points
        ("no_regression", 0.03, 14, 20, "INCONCLUSIVE"),  # … and now −3.21
        ("no_regression", 0.03, 0, 15, "INCONCLUSIVE"),  # exactly on the margin
        ("no_regression", 0.03, 0, 21, "INCONCLUSIVE"),  # the upper bound is −2.95 points
        ("no_regression", 0.03, 0, 22, "FAIL"),  # … and now −3.12
        ("improvement", 0.0, 10, 10, "INCONCLUSIVE"),
        ("improvement", 0.0, 10, 2, "PASS"),
        ("improvement", 0.0, 10, 3, "PASS"),
        ("improvement", 0.0, 10, 4, "INCONCLUSIVE"),
        ("improvement", 0.0, 2, 10, "FAIL"),
        ("improvement", 0.5, 274, 3, "PASS"),  # the lower bound is 50.4 points
        ("improvement", 0.51, 274, 3, "INCONCLUSIVE"),
    ],
)
def test_a_paired_effect_is_judged_against_its_noise(kind, margin, gained, lost, verdict):
    candidate, baseline = shares(gained, lost)

    assert one(Question(check(kind, margin=margin), candidate, baseline)).verdict == verdict


@pytest.mark.parametrize(
    ("num_right", "verdict"),
    [(300, "PASS"), (269, "PASS"), (268, "INCONCLUSIVE"), (250, "INCONCLUSIVE"), (232, "INCONCLUSIVE"), (231, "FAIL")],
)
def test_a_floor_is_compared_with_the_bound_and_not_with_the_point(num_right, verdict):
    candidate = samples([1.0] * num_right + [0.0] * (500 - num_right))

    assert one(Question(check("floor", floor=0.5), candidate)).verdict == verdict


def test_a_result_carries_every_number_behind_it():
    candidate, baseline = shares(14, 20)

    result = one(Question(check(margin=0.03), candidate, baseline))

    assert (result.candidate, result.baseline, result.num_samples) == (214 / 500, 220 / 500, 500)
    assert result.effect == pytest.approx(-0.012)
    assert result.low < -0.03 < result.effect < result.high
    assert result.threshold == -0.03
    assert ALPHA < result.p_value < 0.1
    assert result.num_samples_to_decide == 1371


def test_a_floor_check_has_no_effect_and_no_baseline():
    result = one(Question(check("floor", floor=0.5), samples([1.0] * 90 + [0.0] * 10)))

    assert (result.effect, result.baseline, result.threshold) == (None, None, 0.5)
    assert result.low < result.candidate < result.high


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (
            Question(check("improvement"), *shares(274, 3)),
            "intent exact_match rose 54.2 points (95% bound: at least +50.4; better than +0.0 is asked), n = 500",
        ),
        (
            Question(check(margin=0.05), *shares(20, 154, 600)),
            "intent exact_match fell 22.3 points (95% bound: at most -19.1; -5.0 is allowed), n = 600",
        ),
        (
            Question(check(margin=0.03), *shares(14, 20)),
            "intent exact_match fell 1.2 points (95% bounds: -3.2 to +0.7; -3.0 is allowed), n = 500; "
            "500 samples can tell 3.0 points from the limit, about 1,371 would settle this",
        ),
        (
            Question(check(margin=0.03), *shares(0, 15)),
            "intent exact_match fell 3.0 points (95% bounds: -4.5 to -2.0; -3.0 is allowed), n = 500; "
            "it sits on the limit",
        ),
        (
            Question(check(margin=0.03), *shares(0, 0)),
            "intent exact_match did not change (95% bound: at least -0.5; -3.0 is allowed), n = 500",
        ),
        (
            Question(check("floor", floor=0.5), samples([1.0] * 468 + [0.0] * 32)),
            "intent exact_match is 93.6% (95% bound: at least 91.5%; at least 50.0% is asked), n = 500",
        ),
        (
            Question(check("floor", floor=2.0), samples([1.0, 1.2, 1.1, 1.3], higher_is_better=False)),
            "intent exact_match is 1.15 (95% bound: at most 1.302; at most 2 is asked), n = 4",
        ),
    ],
)
def test_the_reason_is_a_sentence_for_a_release_manager(question, reason):
    assert one(question).reason == reason


def test_fewer_errors_are_an_improvement_where_lower_is_better():
    better, worse = shares(60, 10)
    as_errors = [samples(list(side.values), higher_is_better=False) for side in (better, worse)]

    assert one(Question(check("improvement"), as_errors[1], as_errors[0])).verdict == "PASS"
    assert one(Question(check(margin=0.03), as_errors[0], as_errors[1])).verdict == "FAIL"
    result = one(Question(check(margin=0.03), as_errors[1], as_errors[0]))
    assert (result.verdict, result.threshold) == ("PASS", 0.03)
    assert result.effect == pytest.approx(-0.1)


@pytest.mark.parametrize(("num_wrong", "verdict"), [(40, "PASS"), (100, "INCONCLUSIVE"), (160, "FAIL")])
def test_a_floor_is_a_ceiling_where_lower_is_better(num_wrong, verdict):
    candidate = samples([1.0] * num_wrong + [0.0] * (500 - num_wrong), higher_is_better=False)

    assert one(Question(check("floor", floor=0.2), candidate)).verdict == verdict


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "PASS"), (-0.5, "INCONCLUSIVE"), (-1.5, "FAIL")])
def test_other_values_are_judged_by_a_paired_t_test(shift, verdict):
    baseline = [float(index % 7) for index in range(60)]
    noise = [0.3 * ((index * 37) % 11 - 5) for index in range(60)]
    candidate = [value + shift + error for value, error in zip(baseline, noise, strict=True)]

    assert one(Question(check(margin=0.6), samples(candidate), samples(baseline))).verdict == verdict


@pytest.mark.parametrize(
    ("candidate", "baseline", "words"),
    [
        ([1.0, None, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0], "no value for 1 of 4 samples"),
        ([1.0, 1.0, 1.0, 0.0], [None, None, 0.0, 0.0], "no value for 2 of 4 samples"),
        ([None, None], [None, 1.0], "no value for 2 of 2 samples"),
        ([0.7], [0.2], "one sample"),
    ],
)
def test_a_metric_without_a_number_proves_nothing(candidate, baseline, words):
    result = one(Question(check(margin=0.03), samples(candidate), samples(baseline)))

    assert result.verdict == "INCONCLUSIVE"
    assert words in result.reason


def test_a_fail_must_survive_holms_correction_over_the_blocking_checks():
    barely, passing = Question(check(margin=0.03), *shares(0, 22)), Question(check(margin=0.03), *shares(10, 10))

    alone, among = judge([barely], ALPHA, POWER), judge([barely, passing], ALPHA, POWER)

    assert [result.verdict for result in alone] == ["FAIL"]
    assert [result.verdict for result in among] == ["INCONCLUSIVE", "PASS"]


def test_a_fail_lost_to_the_correction_says_so():
    barely, passing = Question(check(margin=0.03), *shares(0, 26)), Question(check(margin=0.03), *shares(10, 10))

    results = judge([barely, *[passing] * 30], ALPHA, POWER)

    assert results[0].verdict == "INCONCLUSIVE"
    assert results[0].reason.endswith("beyond the limit, but by less than so many blocking checks ask for")
    assert results[0].num_samples_to_decide is None


def test_checks_that_do_not_block_are_not_counted_in_the_correction():
    barely = Question(check(margin=0.03), *shares(0, 22))
    reporting = Question(check(margin=0.03, blocks=False), *shares(0, 22))

    verdicts = [result.verdict for result in judge([barely, reporting, reporting], ALPHA, POWER)]

    assert verdicts == ["FAIL", "FAIL", "FAIL"]


@pytest.mark.parametrize(
    ("blocking", "reporting", "verdict"),
    [
        (["PASS", "PASS"], ["FAIL"], "PASS"),
        (["PASS", "INCONCLUSIVE"], [], "INCONCLUSIVE"),
        (["PASS", "INCONCLUSIVE", "FAIL"], [], "FAIL"),
        ([], ["PASS"], "INCONCLUSIVE"),
        ([], [], "INCONCLUSIVE"),
    ],
)
def test_every_blocking_check_must_pass(blocking: list[Verdict], reporting: list[Verdict], verdict):
    results = [
        CheckResult(name=f"check {number}", verdict=each, blocks=number < len(blocking), num_samples=9, reason="so")
        for number, each in enumerate([*blocking, *reporting])
    ]

    assert join(results) == verdict


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "floor"},
        {"kind": "no_regression"},
        {"kind": "safety", "margin": 0.1, "by": "answer", "min_samples": 9},
        {"kind": "safety", "margin": 0.1, "blocks": False},
        {"kind": "floor", "floor": 0.5, "margin": 0.1},
        {"kind": "improvement", "floor": 0.5},
        {"kind": "no_regression", "margin": -0.01},
        {"kind": "no_regression", "margin": float("nan")},
    ],
)
def test_a_check_whose_fields_do_not_fit_its_kind_is_refused(fields):
    with pytest.raises(ValidationError):
        check(**fields)


RANK: dict[Verdict, int] = {"FAIL": 0, "INCONCLUSIVE": 1, "PASS": 2}


@given(st.integers(0, 120), st.integers(0, 120), st.floats(0.001, 0.2), st.floats(0, 0.2))
@settings(deadline=None)
def test_a_wider_margin_never_makes_a_verdict_worse(gained, lost, margin, more):
    candidate, baseline = shares(gained, lost)

    narrow = one(Question(check(margin=margin), candidate, baseline)).verdict
    wide = one(Question(check(margin=margin + more), candidate, baseline)).verdict

    assert RANK[wide] >= RANK[narrow]


@given(st.integers(0, 120), st.integers(0, 120))
@settings(deadline=None)
def test_two_models_cannot_both_be_better(gained, lost):
    candidate, baseline = shares(gained, lost)

    ours = one(Question(check("improvement"), candidate, baseline)).verdict
    theirs = one(Question(check("improvement"), baseline, candidate)).verdict

    assert {ours, theirs} in ({"PASS", "FAIL"}, {"INCONCLUSIVE"})
