"""The gate says yes, no or not yet; and refuses to compare what was measured differently."""

import random

import pytest
from tests.unit.core.evaluations import paired, report, task

from ratchet.core.checks import Check, GatePolicy, Verdict, join
from ratchet.core.comparison import MetricMismatch, UnknownMetric, compare, open_tasks
from ratchet.core.evaluation import BadReport, EvalReport, parse_report

FLOOR = Check(name="useful", task="intent", metric="exact_match", kind="floor", floor=0.5)
BETTER = Check(name="better than the base", task="intent", metric="exact_match", kind="improvement")
NOT_WORSE = Check(name="intent is kept", task="intent", metric="exact_match", kind="no_regression", margin=0.03)
CANARY = Check(name="sums are kept", task="arithmetic", metric="exact_match", kind="no_regression", margin=0.05)
# One look: the samples of these tables are not in a random order.
POLICY = GatePolicy(num_looks=1, checks=(FLOOR, BETTER, NOT_WORSE, CANARY))


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

    results = compare(candidate, baseline, POLICY, baseline_is_bootstrap=is_bootstrap)

    assert join(results) == verdict
    assert [check.verdict for check in results] == checks.split()


def test_improvement_blocks_only_against_the_untuned_base():
    candidate, baseline = reports((274, 3, 170), (60, 52, 320))

    def blocking(is_bootstrap: bool) -> list[str]:
        results = compare(candidate, baseline, POLICY, baseline_is_bootstrap=is_bootstrap)
        return [check.name for check in results if check.blocks]

    assert blocking(True) == [check.name for check in POLICY.checks]
    assert blocking(False) == [check.name for check in POLICY.checks if check.kind != "improvement"]


def test_a_metric_with_missing_values_is_inconclusive_and_never_a_pass():
    values: list[float | None] = [1.0] * 499
    candidate, baseline = report(task("intent", [*values, None])), report(task("intent", [*values, 1.0]))

    policy = GatePolicy(num_looks=1, checks=(FLOOR, NOT_WORSE))
    results = compare(candidate, baseline, policy, baseline_is_bootstrap=False)

    assert join(results) == "INCONCLUSIVE"
    assert "no value for 1 of 500 samples" in results[0].reason


def test_a_changed_chat_template_is_no_reason_to_refuse():
    values = [1.0] * 500
    candidate, baseline = report(task("intent", values), template="new"), report(task("intent", values), template="old")

    assert join(compare(candidate, baseline, GatePolicy(checks=(NOT_WORSE,)), baseline_is_bootstrap=False)) == "PASS"


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
        compare(candidate, baseline, GatePolicy(checks=(NOT_WORSE,)), baseline_is_bootstrap=False)

    assert difference in str(refusal.value)
    assert "evaluate the baseline again" in str(refusal.value)


def test_a_task_that_no_check_names_is_not_compared():
    candidate = report(task("intent", [1.0] * 500), task("poems", [1.0], version="1"))
    baseline = report(task("intent", [1.0] * 500), task("poems", [1.0], version="2"))

    assert join(compare(candidate, baseline, GatePolicy(checks=(NOT_WORSE,)), baseline_is_bootstrap=False)) == "PASS"


def test_a_check_on_what_was_not_measured_is_refused_with_what_was():
    candidate = report(task("intent", [1.0], metric="f1"), task("arithmetic", [1.0]))
    baseline = report(task("intent", [1.0]))

    with pytest.raises(
        UnknownMetric, match=r"'intent is kept' names metric 'exact_match'.*candidate's report has \['f1'\]"
    ):
        compare(candidate, baseline, GatePolicy(checks=(NOT_WORSE,)), baseline_is_bootstrap=False)
    with pytest.raises(UnknownMetric, match=r"names task 'arithmetic', but the baseline's report has \['intent'\]"):
        compare(candidate, baseline, GatePolicy(checks=(CANARY,)), baseline_is_bootstrap=False)


# In looks


LOOKS = (50, 100, 150, 200, 250, 300, 350, 400, 450, 500)


def cut(report_of_all: EvalReport, num_samples: int) -> EvalReport:
    return report_of_all.model_copy(update={"tasks": tuple(task.first(num_samples) for task in report_of_all.tasks)})


def shuffled(gained: int, lost: int, num_samples: int, seed: int) -> tuple[EvalReport, EvalReport]:
    pairs = list(zip(*paired(gained, lost, num_samples, right_on_both=num_samples // 2), strict=True))
    random.Random(seed).shuffle(pairs)
    candidate, baseline = zip(*pairs, strict=True)
    return report(task("intent", candidate)), report(task("intent", baseline))


def first_settled(candidate: EvalReport, baseline: EvalReport, policy: GatePolicy) -> tuple[int, Verdict]:
    """Where the stopping rule ends it, and what the gate makes of the samples up to there."""
    for num_samples in LOOKS:
        if not open_tasks(cut(candidate, num_samples), baseline, policy, baseline_is_bootstrap=False):
            break
    return num_samples, join(compare(cut(candidate, num_samples), baseline, policy, baseline_is_bootstrap=False))


@pytest.mark.parametrize(
    ("gained", "lost", "num_measured", "verdict"),
    [(10, 10, 400, "PASS"), (100, 10, 50, "PASS"), (10, 90, 100, "FAIL"), (10, 25, 500, "INCONCLUSIVE")],
)
def test_measuring_stops_when_the_answer_is_known(gained, lost, num_measured, verdict):
    candidate, baseline = shuffled(gained, lost, 500, seed=4)

    assert first_settled(candidate, baseline, GatePolicy(checks=(NOT_WORSE,))) == (num_measured, verdict)


def test_the_gate_finds_in_all_samples_what_stopped_the_measuring():
    policy = GatePolicy(checks=(NOT_WORSE,))
    for seed in range(20):
        candidate, baseline = shuffled(12, 18, 500, seed)
        _, verdict = first_settled(candidate, baseline, policy)

        assert join(compare(candidate, baseline, policy, baseline_is_bootstrap=False)) == verdict


def test_a_result_says_how_many_of_how_many_samples_it_took():
    candidate, baseline = shuffled(100, 10, 500, seed=4)

    (result,) = compare(candidate, baseline, GatePolicy(checks=(NOT_WORSE,)), baseline_is_bootstrap=False)

    assert (result.num_samples, result.num_planned) == (50, 500)
    assert result.reason.endswith("n = 50 of 500")
    assert result.p_value < result.level < 0.05


def test_a_report_that_ends_between_two_looks_was_cut_short():
    candidate, baseline = shuffled(10, 10, 500, seed=4)

    with pytest.raises(MetricMismatch, match=r"task intent has 120 of the baseline's 500 samples.*was cut short"):
        compare(cut(candidate, 120), baseline, GatePolicy(checks=(NOT_WORSE,)), baseline_is_bootstrap=False)


def test_a_task_that_is_settled_is_not_measured_further_and_one_that_only_reports_is():
    intents, poems = shuffled(100, 10, 500, seed=4), shuffled(100, 10, 500, seed=5)
    reporting = Check(name="poems", task="poems", metric="exact_match", kind="improvement", blocks=False)
    policy = GatePolicy(checks=(NOT_WORSE, CANARY, reporting))
    canaries = shuffled(20, 24, 500, seed=6)

    def side(index: int) -> EvalReport:
        renamed = zip(("intent", "arithmetic", "poems"), (intents, canaries, poems), strict=True)
        tasks = [sides[index].tasks[0].model_copy(update={"name": name}) for name, sides in renamed]
        return cut(report(*tasks), 50) if index == 0 else report(*tasks)

    assert open_tasks(side(0), side(1), policy, baseline_is_bootstrap=False) == {"arithmetic", "poems"}


def test_a_safety_check_that_is_not_settled_fails_the_gate_but_only_at_the_end():
    candidate, baseline = shuffled(10, 25, 500, seed=4)
    policy = GatePolicy(checks=(NOT_WORSE.model_copy(update={"kind": "safety"}),))

    late = compare(candidate, baseline, policy, baseline_is_bootstrap=False)

    assert open_tasks(cut(candidate, 100), baseline, policy, baseline_is_bootstrap=False) == {"intent"}
    assert [result.verdict for result in late] == ["INCONCLUSIVE"]
    assert join(late) == "FAIL"


# What is no evidence


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:2000], "EOF while parsing"),
        (lambda data: data.replace(b'"intent-7"', b'"intent-8"'), "sample 8 (intent-8) is there more than once"),
        (
            lambda data: data.replace(b'"values":[1.0,', b'"values":['),
            "metric exact_match ends at sample 499, expected 500",
        ),
        (lambda data: data.replace(b'"values":[1.0,', b'"values":[NaN,'), "tasks.0.metrics.0.values"),
    ],
)
def test_a_damaged_report_is_refused_by_name_and_place(damage, said):
    whole = report(task("intent", [1.0] * 500)).canonical_json()

    with pytest.raises(BadReport) as refusal:
        parse_report(damage(whole), "the candidate's report")

    assert str(refusal.value).startswith("the candidate's report (")
    assert said in str(refusal.value)


# How often the whole gate errs, by seeded simulation. Two tasks, as in quality_gates/support.toml.

SIMULATED = 200
RETRAIN = GatePolicy(checks=(NOT_WORSE, CANARY))


def verdicts(intent: tuple[float, float], sums: tuple[float, float], seed: int) -> list[Verdict]:
    """Of weekly retrains whose true shares of gained and lost samples are these."""
    draw = random.Random(seed)
    found: list[Verdict] = []
    for _ in range(SIMULATED):
        sides = [drawn(draw, *shares, num_samples) for shares, num_samples in ((intent, 500), (sums, 600))]
        candidate, baseline = (
            report(task("intent", sides[0][side]), task("arithmetic", sides[1][side])) for side in (0, 1)
        )
        found.append(join(compare(candidate, baseline, RETRAIN, baseline_is_bootstrap=False)))
    return found


def drawn(draw: random.Random, gain: float, loss: float, num_samples: int) -> tuple[list[float], list[float]]:
    """Candidate's and baseline's values, in a random order."""
    outcomes = [draw.random() for _ in range(num_samples)]
    candidate = [float(value < gain or value >= gain + loss) for value in outcomes]
    return candidate, [float(value >= gain) for value in outcomes]


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
