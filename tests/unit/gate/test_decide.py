"""The gate says yes, no or not yet; and refuses to compare what was measured differently."""

import random

import pytest
from tests.unit.gate.evaluations import paired, report, task

from ratchet.core.checks import Check, GatePolicy, Verdict
from ratchet.core.evaluation import EvalReport
from ratchet.gate.decide import MetricMismatch, UnknownMetric, decide

FLOOR = Check(name="useful", task="intent", metric="exact_match", kind="floor", floor=0.5)
BETTER = Check(name="better than the base", task="intent", metric="exact_match", kind="improvement")
NOT_WORSE = Check(name="intent is kept", task="intent", metric="exact_match", kind="no_regression", margin=0.03)
CANARY = Check(name="sums are kept", task="arithmetic", metric="exact_match", kind="no_regression", margin=0.05)
POLICY = GatePolicy(checks=(FLOOR, BETTER, NOT_WORSE, CANARY))


def reports(intent: tuple[int, int, int], sums: tuple[int, int, int]) -> tuple[EvalReport, EvalReport]:
    """Candidate and baseline; per task the samples gained, lost, and right on both, of 500 and 600."""
    intents, canaries = paired(*intent[:2], 500, intent[2]), paired(*sums[:2], 600, sums[2])
    candidate, baseline = (report(task("intent", intents[side]), task("arithmetic", canaries[side])) for side in (0, 1))
    return candidate, baseline


@pytest.mark.parametrize(
    ("intent", "sums", "is_bootstrap", "verdict", "checks"),
    [
        # The first tuned model against the untuned base, with replay and without.
        ((274, 3, 170), (60, 52, 320), True, "PASS", "PASS PASS PASS PASS"),
        ((274, 3, 170), (20, 154, 200), True, "FAIL", "PASS PASS PASS FAIL"),
        # A weekly retrain: as good as production, not provably better.
        ((18, 16, 430), (40, 40, 330), False, "PASS", "PASS INCONCLUSIVE PASS PASS"),
        ((18, 16, 430), (40, 40, 330), True, "INCONCLUSIVE", "PASS INCONCLUSIVE PASS PASS"),
        # Production itself, measured again.
        ((0, 0, 430), (0, 0, 370), False, "PASS", "PASS INCONCLUSIVE PASS PASS"),
        # It learned nothing.
        ((0, 0, 0), (0, 0, 370), True, "FAIL", "FAIL INCONCLUSIVE PASS PASS"),
        # Worse, by more than is allowed; and by about as much.
        ((10, 60, 400), (40, 40, 330), False, "FAIL", "PASS FAIL FAIL PASS"),
        ((10, 25, 400), (40, 40, 330), False, "INCONCLUSIVE", "PASS FAIL INCONCLUSIVE PASS"),
    ],
)
def test_the_verdict_follows_from_the_blocking_checks(intent, sums, is_bootstrap, verdict, checks):
    candidate, baseline = reports(intent, sums)

    outputs = decide(candidate, baseline, POLICY, baseline_is_bootstrap=is_bootstrap)

    assert outputs.verdict == verdict
    assert [check.verdict for check in outputs.checks] == checks.split()


def test_improvement_blocks_only_against_the_untuned_base():
    candidate, baseline = reports((274, 3, 170), (60, 52, 320))

    def blocking(is_bootstrap: bool) -> list[str]:
        outputs = decide(candidate, baseline, POLICY, baseline_is_bootstrap=is_bootstrap)
        return [check.name for check in outputs.checks if check.blocks]

    assert blocking(True) == [check.name for check in POLICY.checks]
    assert blocking(False) == [check.name for check in POLICY.checks if check.kind != "improvement"]


def test_a_metric_with_missing_values_is_inconclusive_and_never_a_pass():
    values: list[float | None] = [1.0] * 499
    candidate, baseline = report(task("intent", [*values, None])), report(task("intent", [*values, 1.0]))

    outputs = decide(candidate, baseline, GatePolicy(checks=(FLOOR, NOT_WORSE)), baseline_is_bootstrap=False)

    assert outputs.verdict == "INCONCLUSIVE"
    assert "no value for 1 of 500 samples" in outputs.checks[0].reason


def test_a_changed_chat_template_is_no_reason_to_refuse():
    values = [1.0] * 500
    candidate, baseline = report(task("intent", values), template="new"), report(task("intent", values), template="old")

    assert decide(candidate, baseline, GatePolicy(checks=(NOT_WORSE,)), baseline_is_bootstrap=False).verdict == "PASS"


@pytest.mark.parametrize(
    ("plan", "fields", "difference"),
    [
        (
            {"engine": "lm-eval 0.4.14 cpu"},
            {},
            "engine is 'lm-eval 0.4.13 cpu', the baseline's was 'lm-eval 0.4.14 cpu'",
        ),
        ({"dtype": "bfloat16"}, {}, "dtype is 'float32', the baseline's was 'bfloat16'"),
        ({"batch_size": 1}, {}, "batch_size is 32, the baseline's was 1"),
        ({"seed": 7}, {}, "seed is 0, the baseline's was 7"),
        ({}, {"version": "2"}, "task intent has version 1, the baseline's was 2"),
        ({}, {"config_sha256": "c" * 64}, "the baseline's was cccccccccccc"),
        ({}, {"data_sha256": "d" * 64}, "the baseline's was dddddddddddd"),
        ({}, {"sample_ids": ("intent-1", "intent-0", "intent-2")}, "the same samples in another order"),
        ({}, {"sample_ids": ("intent-0", "intent-9", "intent-8")}, "3 samples, the baseline's 3, 1 of them in common"),
    ],
)
def test_reports_that_were_not_measured_alike_are_refused(plan, fields, difference):
    candidate = report(task("intent", [1.0, 0.0, 1.0]))
    baseline = report(task("intent", [1.0, 0.0, 1.0], **fields), plan=plan)

    with pytest.raises(MetricMismatch) as refusal:
        decide(candidate, baseline, GatePolicy(checks=(NOT_WORSE,)), baseline_is_bootstrap=False)

    assert difference in str(refusal.value)
    assert "evaluate the baseline again" in str(refusal.value)


def test_a_task_that_no_check_names_is_not_compared():
    candidate = report(task("intent", [1.0] * 500), task("poems", [1.0], version="1"))
    baseline = report(task("intent", [1.0] * 500), task("poems", [1.0], version="2"))

    assert decide(candidate, baseline, GatePolicy(checks=(NOT_WORSE,)), baseline_is_bootstrap=False).verdict == "PASS"


def test_a_check_on_what_was_not_measured_is_refused_with_what_was():
    candidate = report(task("intent", [1.0], metric="f1"), task("arithmetic", [1.0]))
    baseline = report(task("intent", [1.0]))

    with pytest.raises(
        UnknownMetric, match=r"'intent is kept' names metric 'exact_match'.*candidate's report has \['f1'\]"
    ):
        decide(candidate, baseline, GatePolicy(checks=(NOT_WORSE,)), baseline_is_bootstrap=False)
    with pytest.raises(UnknownMetric, match=r"names task 'arithmetic', but the baseline's report has \['intent'\]"):
        decide(candidate, baseline, GatePolicy(checks=(CANARY,)), baseline_is_bootstrap=False)


# How often the whole gate errs, by seeded simulation. Two tasks, as in quality_gates/support.toml.

SIMULATED = 500
RETRAIN = GatePolicy(checks=(NOT_WORSE, CANARY))


def verdicts(intent: tuple[float, float], sums: tuple[float, float], seed: int) -> list[Verdict]:
    """Of weekly retrains whose true shares of gained and lost samples are these."""
    draw = random.Random(seed)
    found: list[Verdict] = []
    for _ in range(SIMULATED):
        sides = [
            paired(*counts(draw, shares, num_samples), num_samples)
            for shares, num_samples in ((intent, 500), (sums, 600))
        ]
        candidate, baseline = (
            report(task("intent", sides[0][side]), task("arithmetic", sides[1][side])) for side in (0, 1)
        )
        found.append(decide(candidate, baseline, RETRAIN, baseline_is_bootstrap=False).verdict)
    return found


def counts(draw: random.Random, shares: tuple[float, float], num_samples: int) -> tuple[int, int]:
    gain, loss = shares
    drawn = [draw.random() for _ in range(num_samples)]
    return sum(value < gain for value in drawn), sum(gain <= value < gain + loss for value in drawn)


def test_an_equal_candidate_is_blocked_less_often_than_alpha():
    found = verdicts((0.035, 0.035), (0.10, 0.10), seed=1)

    assert found.count("FAIL") / SIMULATED <= 1.2 * RETRAIN.alpha
    assert found.count("PASS") / SIMULATED >= 0.6  # both checks were planned for a power of 0.8


def test_a_candidate_on_the_margin_of_one_check_passes_less_often_than_alpha():
    found = verdicts((0.02, 0.05), (0.10, 0.10), seed=2)

    assert found.count("PASS") / SIMULATED <= 1.2 * RETRAIN.alpha


def test_a_candidate_that_forgot_its_sums_is_stopped():
    found = verdicts((0.05, 0.02), (0.03, 0.20), seed=3)

    assert found.count("FAIL") / SIMULATED >= 0.99
