import math
import random
import re
from collections import Counter

import pytest

from ratchet.clients.openai import Answer
from ratchet.core.golden import Golden
from ratchet.core.latency import Failed, Timing, summarise
from ratchet.stage.contract import StageSettings
from ratchet.stage.judge import Pair, judge_failures, judge_golden, judge_ratios, look_sizes


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


def timing(ttft_ms: float, each_ms: float) -> Timing:
    """An answer of 16 tokens."""
    ended_at = (ttft_ms + 15 * each_ms) / 1000
    return Timing(0.0, ttft_ms / 1000, ended_at, (each_ms,) * 15, num_tokens=16, counted_by="usage")


def pairs(ratio: float, spread: float = 0.0, count: int = 30, seed: int = 0) -> list[Pair]:
    """The preview takes `ratio` times as long, times e to a normal error of `spread`; what both share cancels out."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        shared, own = math.exp(rng.gauss(0, 0.5)), ratio * math.exp(rng.gauss(0, spread))
        found.append(Pair(timing(200 * shared * own, 80 * shared * own), timing(200 * shared, 80 * shared)))
    return found


ALL = StageSettings(max_latency_ratio=2.0, max_ttft_ratio=2.0, max_inter_token_ratio=2.0)
BRIEF = ALL.model_copy(update={"num_latency_probes": 30})


@pytest.mark.parametrize(("ratio", "verdict"), [(0.5, "PASS"), (1.99, "PASS"), (2.01, "FAIL"), (9.0, "FAIL")])
def test_a_machine_that_slows_both_colours_changes_nothing(ratio: float, verdict: str) -> None:
    results = judge_ratios(pairs(ratio), BRIEF)

    assert [result.verdict for result in results] == [verdict] * 3
    assert results[0].effect == pytest.approx(ratio - 1)


@pytest.mark.parametrize(
    ("ratio", "count", "verdict"),
    [
        (1.5, 30, "PASS"),
        (2.0, 30, "INCONCLUSIVE"),
        (2.0, 120, "INCONCLUSIVE"),
        (2.5, 30, "INCONCLUSIVE"),  # a slow minute is no slow model
        (2.5, 120, "FAIL"),
    ],
)
def test_the_ratio_is_judged_against_its_own_noise(ratio: float, count: int, verdict: str) -> None:
    results = judge_ratios(pairs(ratio, spread=0.3, count=count), ALL)

    assert {result.verdict for result in results} == {verdict}
    assert all(result.low < result.effect < result.high for result in results)


def test_bounds_hold_over_all_looks() -> None:
    """Equal colours at the limit 1: more than α would FAIL, or PASS, if each look were judged at α."""
    rng = random.Random(1)
    settings = StageSettings(max_latency_ratio=1.0)
    ended = Counter(_whole_probe(pairs(1.0, 0.3, count=120, seed=rng.randrange(10**9)), settings) for _ in range(400))

    assert ended["FAIL"] <= 32  # 20 are expected at 5 %; more than 32 come once in 200 runs
    assert ended["PASS"] <= 32


def _whole_probe(probed: list[Pair], settings: StageSettings) -> str:
    verdicts = (judge_ratios(probed[:size], settings)[0].verdict for size in look_sizes(settings))
    return next((verdict for verdict in verdicts if verdict != "INCONCLUSIVE"), "INCONCLUSIVE")


def test_seconds_in_which_one_colour_is_disturbed_are_not_taken_for_many_samples() -> None:
    """Twelve pairs in a row are one disturbance: it must widen the bounds more than twelve scattered ones do."""
    calm, disturbed = pairs(1.0, 0.05, count=108), pairs(3.0, 0.05, count=12)
    together = [*calm[:54], *disturbed, *calm[54:]]
    scattered = list(together)
    random.Random(0).shuffle(scattered)

    (one,), (many,) = (judge_ratios(probed, StageSettings()) for probed in (together, scattered))

    assert one.effect == pytest.approx(many.effect or 0.0)
    assert (one.high or 0.0) > (many.high or 0.0) + 0.1


def test_only_what_has_a_limit_is_judged() -> None:
    assert [result.name for result in judge_ratios(pairs(1.0), StageSettings())] == ["answer latency"]
    assert len(judge_ratios(pairs(1.0), StageSettings(max_ttft_ratio=1.5))) == 2


def test_a_reason_says_ratio_bound_limit_and_times() -> None:
    (passed,) = judge_ratios(pairs(1.2, spread=0.1), StageSettings())
    (failed,) = judge_ratios(pairs(3.0), StageSettings(num_latency_probes=30))
    (unclear,) = judge_ratios(pairs(1.95, spread=0.3), StageSettings(num_latency_probes=30))

    assert re.fullmatch(
        r"a whole answer takes 1\.\d\d times as long as production's \(95% bound: at most 1\.\d\d; 2 is allowed\), "
        r"medians [\d,]+ and [\d,]+ ms, 30 pairs",
        passed.reason,
    )
    assert failed.reason.startswith(
        "a whole answer takes 3.00 times as long as production's (95% bound: at least 3.00;"
    )
    assert "pairs would settle it, the recipe allows 30" in unclear.reason


def test_times_that_nobody_notices_are_equal() -> None:
    """An endpoint that sends its whole answer at once has no time between tokens."""
    at_once = [Pair(timing(20, 0.9), timing(20, 0.001))] * 30

    (_, between) = judge_ratios(at_once, StageSettings(max_inter_token_ratio=1.5))

    assert (between.verdict, between.effect) == ("PASS", 0.0)


def test_one_failed_request_fails() -> None:
    whole = [timing(20, 8)] * 40

    assert judge_failures(summarise(whole, 1.0)).verdict == "PASS"
    failed = judge_failures(summarise([*whole, Failed("http://preview answers 500")], 1.0))
    assert (failed.verdict, failed.blocks) == ("FAIL", True)
    assert failed.reason == "1 of 41 streamed requests on preview failed; http://preview answers 500"
