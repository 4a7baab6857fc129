import pytest
from tests.unit.report import evidence

from ratchet.core.evaluation import Score
from ratchet.report.charts import bounds_95, check_chart, curve, score_rows, show
from ratchet.report.words import ScorePair


def _score(value: float, num_samples: int = 100, stderr: float = 0.05) -> Score:
    return Score(task="t", metric="m", value=value, stderr=stderr, num_samples=num_samples)


def test_a_check_is_drawn_in_order_low_point_high_with_its_limit_and_zero() -> None:
    kept = next(check for check in evidence.gate_checks() if check.name == "arithmetic kept")

    chart = check_chart(kept)

    assert chart is not None
    assert chart.zero is not None
    assert 0 < chart.limit < chart.interval.low < chart.interval.point < chart.zero < chart.interval.high < 1
    assert (chart.interval.text, chart.limit_text) == ("−0.7", "−5.0")


def test_a_floor_is_drawn_without_a_zero_and_without_signs() -> None:
    floor = evidence.gate_checks()[0]

    chart = check_chart(floor)

    assert chart is not None
    assert chart.zero is None
    assert chart.limit < chart.interval.low
    assert (chart.interval.text, chart.limit_text) == ("68.7", "50.0")


def test_a_limit_of_zero_is_drawn_once() -> None:
    chart = check_chart(evidence.gate_checks()[1])

    assert chart is not None
    assert chart.zero is None


def test_a_check_without_bounds_is_not_drawn() -> None:
    assert check_chart(evidence.check("golden", "PASS", "fine", candidate=1.0, threshold=0.9)) is None


def test_numbers_that_are_no_shares_keep_their_units() -> None:
    slower = evidence.check("perplexity", "FAIL", "r", candidate=14.0, baseline=12.0, effect=2.0)

    assert show(slower, 2.0) == "+2"


def test_scores_of_shares_keep_the_axis_from_0_to_100_percent() -> None:
    row = score_rows([ScorePair("t", "m", _score(1.0, stderr=0.0), _score(0.25))])[0]

    assert row.candidate.point == 1.0
    assert row.candidate.high == 1.0
    assert 0.9 < (row.candidate.low or 0) < 1.0  # exact bounds do not vanish
    assert row.baseline is not None
    assert row.baseline.point == 0.25
    assert row.change == "+75.0 points"


def test_other_scores_get_an_axis_of_their_own() -> None:
    row = score_rows([ScorePair("t", "bleu", _score(31.0, stderr=1.0), _score(29.0, stderr=1.0))])[0]

    assert row.baseline is not None
    assert 0 < row.baseline.point < row.candidate.point < 1
    assert row.change == "+2"


@pytest.mark.parametrize(
    ("score", "low", "high"),
    [
        (_score(0.5), 0.398, 0.602),  # Clopper and Pearson 1934, 50 of 100
        (_score(0.0), 0.0, 0.036),
        (_score(0.333, stderr=0.01), 0.3134, 0.3526),  # no whole number of right answers: normal
    ],
)
def test_bounds_are_exact_for_right_answers_and_normal_else(score: Score, low: float, high: float) -> None:
    assert bounds_95(score, is_share=True) == pytest.approx((low, high), abs=1e-3)


def test_a_curve_runs_from_left_to_right_and_is_thinned() -> None:
    drawn = curve([(step, 1000.0 / step) for step in range(1, 5001)])

    assert drawn is not None
    assert len(drawn.points) <= 402
    assert drawn.points[0] == (0.0, 0.0)
    assert drawn.points[-1][0] == 1.0
    assert drawn.num_steps == 5000


@pytest.mark.parametrize("losses", [[], [(1, 2.0)]])
def test_a_curve_needs_two_points(losses: list[tuple[int, float]]) -> None:
    assert curve(losses) is None
