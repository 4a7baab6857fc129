"""Slices that got worse, and samples that share a source."""

import pytest
from tests.unit.core.evaluations import report, task

from ratchet.core.checks import Check, GatePolicy, Verdict, join
from ratchet.core.comparison import UnknownMetric, compare, open_tasks
from ratchet.core.evaluation import EvalReport

NOT_WORSE = Check(name="intent is kept", task="intent", metric="exact_match", kind="no_regression", margin=0.03)
CANARY = Check(name="sums are kept", task="arithmetic", metric="exact_match", kind="no_regression", margin=0.05)


def cut(whole: EvalReport, num_samples: int) -> EvalReport:
    return whole.model_copy(update={"tasks": tuple(task.first(num_samples) for task in whole.tasks)})


def sliced(values: list[float], names: list[str], **fields: object) -> EvalReport:
    return report(task("intent", values, slices={"answer": tuple(names)}, **fields))


BY_ANSWER = Check(
    name="no label is lost",
    task="intent",
    metric="exact_match",
    kind="no_regression",
    margin=0.1,
    by="answer",
    min_samples=20,
)


def test_a_slice_that_got_worse_fails_the_gate_although_the_whole_did_not():
    names = ["refund"] * 60 + ["late"] * 440
    baseline = sliced([1.0] * 500, names)
    candidate = sliced([0.0] * 30 + [1.0] * 470, names)
    policy = GatePolicy(num_looks=1, checks=(NOT_WORSE.model_copy(update={"margin": 0.2}), BY_ANSWER))

    results = compare(candidate, baseline, policy, baseline_is_bootstrap=False)

    assert {result.name: result.verdict for result in results} == {
        "intent is kept": "PASS",
        "no label is lost: late": "PASS",
        "no label is lost: refund": "FAIL",
    }
    assert join(results) == "FAIL"


def test_a_slice_need_not_pass_and_one_of_too_few_samples_is_not_asked():
    names = ["refund"] * 25 + ["rare"] * 5 + ["late"] * 470
    values = [1.0] * 500
    policy = GatePolicy(num_looks=1, checks=(NOT_WORSE, BY_ANSWER))

    results = compare(sliced(values, names), sliced(values, names), policy, baseline_is_bootstrap=False)

    assert {result.name: result.verdict for result in results} == {
        "intent is kept": "PASS",
        "no label is lost: late": "PASS",
        "no label is lost: refund": "INCONCLUSIVE",
    }
    assert join(results) == "PASS"


def test_measuring_goes_on_until_each_slice_can_be_asked():
    names = [("refund", "late", "password")[number % 3] for number in range(500)]
    baseline, candidate = sliced([0.0] * 500, names), sliced([1.0] * 500, names)
    policy = GatePolicy(checks=(NOT_WORSE, BY_ANSWER))

    def going_on(num_samples: int) -> set[str]:
        return open_tasks(cut(candidate, num_samples), baseline, policy, baseline_is_bootstrap=False)

    assert going_on(50) == {"intent"}  # 17 of each, and 20 are asked
    assert going_on(100) == set()


def test_a_slice_check_that_no_slice_is_large_enough_for_stays_open():
    report_of_rare = sliced([1.0] * 500, [f"label {number % 250}" for number in range(500)])
    policy = GatePolicy(num_looks=1, checks=(NOT_WORSE, BY_ANSWER))

    _, result = compare(report_of_rare, report_of_rare, policy, baseline_is_bootstrap=False)

    assert (result.name, result.verdict, result.num_samples) == ("no label is lost", "INCONCLUSIVE", 0)
    assert "intent has no answer with 20 samples" in result.reason


def test_a_slice_and_a_check_of_the_same_name_are_two():
    other = CANARY.model_copy(update={"name": "no label is lost: late"})
    names = ["late"] * 500
    candidate = report(*sliced([1.0] * 500, names).tasks, task("arithmetic", [0.0] * 500))
    baseline = report(*sliced([1.0] * 500, names).tasks, task("arithmetic", [1.0] * 500))

    results = compare(
        candidate, baseline, GatePolicy(num_looks=1, checks=(BY_ANSWER, other)), baseline_is_bootstrap=False
    )

    assert [result.verdict for result in results] == ["PASS", "FAIL"]
    assert join(results) == "FAIL"


def test_a_slicing_that_nobody_reported_is_refused_with_those_there_are():
    baseline = sliced([1.0] * 500, ["late"] * 500)
    by_language = BY_ANSWER.model_copy(update={"by": "language"})

    with pytest.raises(UnknownMetric, match=r"slices task 'intent' by 'language', but its report has \['answer'\]"):
        compare(baseline, baseline, GatePolicy(checks=(by_language,)), baseline_is_bootstrap=False)


def test_samples_of_one_source_do_not_count_as_many():
    # 500 samples, but of 10 sources; two of the sources are all that got worse.
    sources = tuple(f"customer {number % 10}" for number in range(500))
    values = [0.0 if source in ("customer 3", "customer 7") else 1.0 for source in sources]
    policy = GatePolicy(num_looks=1, checks=(NOT_WORSE,))

    def verdict(**fields: object) -> Verdict:
        candidate, baseline = report(task("intent", values, **fields)), report(task("intent", [1.0] * 500, **fields))
        return join(compare(candidate, baseline, policy, baseline_is_bootstrap=False))

    assert verdict() == "FAIL"
    assert verdict(sources=sources) == "INCONCLUSIVE"
