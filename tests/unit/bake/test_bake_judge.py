import pytest

from ratchet.bake.contract import BakeSettings
from ratchet.bake.judge import Expected, breach, conclude, median_latency_ms
from ratchet.clients.probe import Probe

SETTINGS = BakeSettings(min_requests=20, max_error_rate=0.1, max_latency_ratio=3.0, min_golden_agreement=0.9)
EXPECTED = Expected(release_id="b", latency_ms=100.0)
FAILED = Probe(problem="the edge answers 503")


def golden(agrees: bool = True, release: str = "b") -> Probe:
    return Probe(release=release, agrees=agrees)


def timed(latency_ms: float = 100.0) -> Probe:
    return Probe(release="b", latency_ms=latency_ms)


HEALTHY = [golden(), timed()] * 20


def test_a_healthy_production_passes_and_says_what_was_seen() -> None:
    judgement = conclude(HEALTHY, EXPECTED, SETTINGS)

    assert judgement.verdict == "PASS"
    assert judgement.reason.startswith("0 of 40 requests failed; timed answers take 100 ms")


@pytest.mark.parametrize(("num_probes", "verdict"), [(20, "PASS"), (19, "INCONCLUSIVE"), (0, "INCONCLUSIVE")])
def test_too_few_requests_hold(num_probes: int, verdict: str) -> None:
    assert conclude(HEALTHY[:num_probes], EXPECTED, SETTINGS).verdict == verdict


@pytest.mark.parametrize(
    ("num_failed", "num_answered", "verdict"),
    [
        (4, 36, "PASS"),  # exactly a tenth
        (5, 35, "FAIL"),
        (2, 10, "INCONCLUSIVE"),  # a tenth of the twenty that it takes
        (3, 0, "FAIL"),  # an outage: few requests end, all of them badly
    ],
)
def test_failed_requests_are_judged_by_their_share(num_failed: int, num_answered: int, verdict: str) -> None:
    probes = [FAILED] * num_failed + HEALTHY[:num_answered]

    assert conclude(probes, EXPECTED, SETTINGS).verdict == verdict


@pytest.mark.parametrize(("latency_ms", "verdict"), [(300.0, "PASS"), (300.1, "FAIL")])
def test_latency_is_judged_against_the_staged_one(latency_ms: float, verdict: str) -> None:
    probes = [golden(), timed(latency_ms)] * 10

    assert conclude(probes, EXPECTED, SETTINGS).verdict == verdict


@pytest.mark.parametrize(("num_different", "verdict"), [(1, "PASS"), (2, "FAIL")])
def test_golden_answers_must_stay_the_same(num_different: int, verdict: str) -> None:
    probes = [golden(agrees=number >= num_different) for number in range(10)] + [timed()] * 10

    assert conclude(probes, EXPECTED, SETTINGS).verdict == verdict


def test_slow_or_different_answers_are_no_breach_before_there_are_enough() -> None:
    assert breach([golden(agrees=False), timed(9000.0)], EXPECTED, SETTINGS) is None


@pytest.mark.parametrize("release", ["a", None])
def test_an_answer_of_another_release_is_a_breach_at_once(release: str | None) -> None:
    reason = breach([golden(), Probe(release=release, agrees=True)], EXPECTED, SETTINGS)

    assert reason == f"the edge answers with release {release}, expected b"


def test_a_breach_names_the_last_failure() -> None:
    assert "the edge answers 503" in str(breach([FAILED] * 3, EXPECTED, SETTINGS))


def test_latency_is_the_median_of_what_was_timed() -> None:
    assert median_latency_ms([golden(), FAILED]) == 0.0
    assert median_latency_ms([timed(1.0), golden(), timed(5.0), timed(100.0)]) == 5.0
