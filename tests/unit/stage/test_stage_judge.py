import pytest

from ratchet.clients.openai import Answer
from ratchet.core.golden import Golden
from ratchet.stage.judge import joined, judge_golden, judge_latency


def answer(text: str, truncated: bool = False) -> Answer:
    return Answer(text, latency_ms=1.0, truncated=truncated, colour=None, release=None)


GOLDEN = [Golden(f"Label: {number}", f"label_{number}") for number in range(4)]


def test_the_same_answers_pass() -> None:
    result = judge_golden(GOLDEN, [answer(golden.answered) for golden in GOLDEN], min_agreement=1.0)

    assert result.verdict == "PASS"


def test_a_different_answer_is_shown() -> None:
    answers = [answer(golden.answered) for golden in GOLDEN[:3]] + [answer("refund")]

    result = judge_golden(GOLDEN, answers, min_agreement=0.9)

    assert result.verdict == "FAIL"
    assert result.reason.endswith("'Label: 3': expected 'label_3', got 'refund'")


@pytest.mark.parametrize(
    ("preview_ms", "verdict"),
    [([99.0, 100.0, 900.0], "PASS"), ([200.0] * 3, "PASS"), ([200.1] * 3, "FAIL"), ([1.0] * 3, "PASS")],
)
def test_latency_is_judged_by_the_ratio_of_medians(preview_ms: list[float], verdict: str) -> None:
    result = judge_latency(preview_ms, [100.0, 100.0, 5.0], max_ratio=2.0)

    assert result.verdict == verdict
    assert (result.baseline, result.threshold) == (100.0, 2.0)


def test_one_failed_check_fails_the_stage() -> None:
    passed = judge_latency([1.0], [1.0], max_ratio=2.0)
    failed = judge_latency([3.0], [1.0], max_ratio=2.0)

    assert joined([passed, passed]) == "PASS"
    assert joined([passed, failed]) == "FAIL"
