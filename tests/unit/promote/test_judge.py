"""Go on, give up or hold: what one step of a canary must show."""

from ratchet.clients.probe import Probe
from ratchet.clients.router import Traffic
from ratchet.promote.contract import CanarySettings
from ratchet.promote.judge import Seen, judge

SETTINGS = CanarySettings(step_seconds=5.0, min_requests=10, min_user_requests=100)
GOLDEN, OTHER = Probe(agrees=True), Probe(agrees=False)
FAST, SLOW = Probe(latency_ms=20.0), Probe(latency_ms=50.0)
FAILED = Probe(problem="does not answer")
USERS = Traffic(num_requests=100, num_failed=0)


def judged(candidate: list[Probe], users: Traffic | None = USERS, seconds: float = 5.0) -> tuple[str, str]:
    judgement = judge(
        Seen(candidate, [GOLDEN, FAST] * (len(candidate) // 2) + [GOLDEN] * (len(candidate) % 2), users, seconds),
        SETTINGS,
    )
    return judgement.verdict, judgement.reason


def rounds(*pairs: tuple[Probe, Probe]) -> Seen:
    return Seen([ours for ours, _ in pairs], [theirs for _, theirs in pairs], USERS, 5.0)


def test_enough_good_answers_for_long_enough_go_on():
    verdict, reason = judged([GOLDEN, FAST] * 5)

    assert verdict == "PASS"
    assert reason == (
        "0 of 10 probes failed, 0 of 100 users' requests; timed answers take 1.00 times as long as production's"
    )


def test_a_failure_beyond_the_limit_gives_up_at_once():
    verdict, reason = judged([FAILED], seconds=0.1)

    assert verdict == "FAIL"
    assert reason == "1 of 1 probes failed, at most 2.0%; the last: does not answer"


def test_answers_that_certainly_take_longer_give_up():
    slow = [(Probe(latency_ms=ms), Probe(latency_ms=20.0)) for ms in (95, 100, 105, 98, 102) * 2]

    judgement = judge(rounds(*slow), SETTINGS)

    assert judgement.verdict == "FAIL"
    assert judgement.reason == (
        "timed answers take 5.00 times as long as production's (99% bound: at least 4.84), at most 2"
    )


def test_a_few_slow_answers_are_no_slow_candidate():
    times = [20, 25, 400, 18, 22, 300, 19, 21, 24, 250]
    noisy = [(Probe(latency_ms=ms), Probe(latency_ms=20.0)) for ms in times]

    assert judge(rounds(*noisy), SETTINGS).verdict == "PASS"


def test_other_answers_than_evaluated_give_up():
    verdict, reason = judged([OTHER, FAST] * 5)

    assert verdict == "FAIL"
    assert reason == "0% of golden prompts are answered as evaluated, at least 90%"


def test_users_failures_give_up_though_probes_are_well():
    verdict, reason = judged([GOLDEN, FAST] * 5, users=Traffic(100, 3))

    assert verdict == "FAIL"
    assert reason == "3 of 100 users' requests to the candidate failed, at most 2.0%"


def test_few_failures_of_few_users_are_not_yet_certain():
    assert judged([GOLDEN, FAST] * 5, users=Traffic(10, 2))[0] == "INCONCLUSIVE"


def test_too_few_probes_users_or_seconds_hold():
    assert judged([GOLDEN] * 9) == ("INCONCLUSIVE", "9 probes are too few to judge, expected 10")
    assert judged([GOLDEN] * 10, Traffic(99, 0))[1] == "99 users' requests are too few to judge, expected 100"
    assert judged([GOLDEN] * 10, users=None)[1] == "0 users' requests are too few to judge, expected 100"
    assert judged([GOLDEN] * 10, seconds=2.0) == ("INCONCLUSIVE", "2 of 5 s")


def test_production_that_is_slow_too_is_not_the_candidates_fault():
    seen = rounds(*[(GOLDEN, GOLDEN), (SLOW, SLOW)] * 5)

    assert judge(seen, SETTINGS).verdict == "PASS"
