"""What the page says of money: by kind, against the forecast, for each point gained."""

from typing import Any

import pytest
from tests.unit.report import evidence

from ratchet.core.checks import CheckResult
from ratchet.core.contract import digest_json
from ratchet.core.costs import Forecast, TaskDone
from ratchet.core.evaluation import EvalReport, MetricSamples
from ratchet.report.contract import ReportInputs, RunWork
from ratchet.report.costs import run_costs
from ratchet.report.spending import main_gain, spending

CHECKS = [
    {"name": "intent floor", "task": "intent", "metric": "exact_match"},
    {"name": "intent improved", "task": "intent", "metric": "exact_match"},
]
RECIPE = {**evidence.RECIPE, "gate": {"checks": CHECKS}}
GIB = 1 << 30


def inputs(check: CheckResult | None = None, recipe: dict[str, Any] = RECIPE) -> ReportInputs:
    """`check` is in the place of the gate's own."""
    changes: dict[str, Any] = {"gate_checks": (check,)} if check else {}
    origin = evidence.origin(recipe=recipe)
    return evidence.inputs(origin=origin, recipe_sha256=digest_json(recipe), **changes)


def report(higher_is_better: bool = True) -> EvalReport:
    found = evidence.eval_report(evidence.split_rows(), 0.7, seed=1, model="c")
    (task,) = found.tasks
    metric = MetricSamples(name="exact_match", higher_is_better=higher_is_better, values=task.metrics[0].values)
    return found.model_copy(update={"tasks": (task.model_copy(update={"metrics": (metric,)}),)})


def check(effect: float, low: float, high: float) -> CheckResult:
    scores = {"baseline": 0.5, "candidate": 0.5 + effect, "effect": effect, "low": low, "high": high}
    return evidence.check("intent improved", "PASS", "it rose", **scores)


def told(work: RunWork, about: ReportInputs | None = None, finetune_after: float = 1) -> dict[str, str]:
    """Finetune took 720 s and left 2 GiB, the others 8 s together."""
    outputs = {"model": {"uri": "store://m", "sha256": "e" * 64, "bytes": 2 * GIB}}
    found = [
        evidence.manifest(work.tasks[0], seconds=6, minutes_after=0),
        evidence.manifest(work.tasks[1], seconds=720, minutes_after=finetune_after, outputs=outputs),
        evidence.manifest(work.tasks[2], seconds=2, minutes_after=20),
    ]
    costs = run_costs(evidence.inputs(), work, found, evidence.training_log())
    return {line.what: line.text for line in spending(about or inputs(), work, costs, report())}


def test_the_sum_is_told_by_kind_and_what_has_no_price_is_named() -> None:
    assert told(evidence.work(evidence.rates()))["Of this"] == (
        "CPU < 0.01 EUR, GPU 0.50 EUR; not counted, since ratchet.toml sets no price: storage, second engine"
    )


def test_what_the_store_keeps_is_charged_for_a_month() -> None:
    all_priced = evidence.rates(storage_per_gib_month=0.02, serving_per_hour=1.0)

    assert told(evidence.work(all_priced))["Of this"] == (
        "CPU < 0.01 EUR, GPU 0.50 EUR, storage 0.04 EUR (2 GiB for 1 month), second engine 0.00 EUR"
    )


@pytest.mark.parametrize(
    ("foreseen", "text"),
    [
        (Forecast(), "no forecast: first release"),
        (
            Forecast(
                num_releases=3,
                tasks=(
                    TaskDone(task="finetune", step="finetune", seconds=910),
                    TaskDone(task="stage", step="stage", seconds=290),
                ),
            ),
            "about 20 min of steps, about 0.64 EUR, from the last 3 releases; for the steps so far 15 min, they took "
            "12 min (−21%)",
        ),
    ],
)
def test_the_forecast_is_held_against_what_the_steps_took(foreseen: Forecast, text: str) -> None:
    assert told(evidence.work(evidence.rates(), forecast=foreseen))["Forecast"] == text


def test_a_point_costs_less_the_more_were_gained_at_most_and_at_least() -> None:
    lines = told(evidence.work(evidence.rates()), inputs(check(0.05, 0.02, 0.1)))

    assert lines["Per point gained"] == (
        "0.1 EUR (0.05 to 0.25) for each of 5.0 points of intent exact_match; found work is counted"
    )


@pytest.mark.parametrize("low", [-0.003, 0.0])
def test_a_gain_that_may_be_nothing_has_no_price(low: float) -> None:
    lines = told(evidence.work(evidence.rates()), inputs(check(0.012, low, 0.027)))

    assert lines["Per point gained"].startswith("not told: the gain may be 0 (intent exact_match: ")
    assert lines["Per point gained"].endswith("to +2.7 points)")


def test_what_an_earlier_run_did_is_part_of_what_a_point_cost() -> None:
    about = inputs(check(0.05, 0.02, 0.1))

    lines = told(evidence.work(evidence.rates()), about, finetune_after=-60)

    assert lines["Per point gained"].startswith("0.1 EUR (")
    assert lines["Of this"].startswith("CPU < 0.01 EUR, GPU 0.00 EUR")


def test_where_less_is_better_a_fall_is_a_gain() -> None:
    gain = main_gain(inputs(check(-0.05, -0.1, -0.02)), report(higher_is_better=False))

    assert gain
    assert (gain.points, gain.low, gain.high) == pytest.approx((5, 2, 10))


@pytest.mark.parametrize(
    "about",
    [
        inputs(recipe={**RECIPE, "gate": {"checks": CHECKS[:1]}}),  # a floor compares nothing
        inputs(check(0.05, 0.02, 0.1).model_copy(update={"candidate": 12.0})),  # no share has points
        inputs(check(0.05, 0.02, 0.1), recipe={**RECIPE, "gate": {"checks": [{"name": "intent improved"}]}}),
    ],
)
def test_a_gate_without_a_comparison_of_shares_has_no_points(about: ReportInputs) -> None:
    assert main_gain(about, report()) is None


def test_without_prices_only_times_are_foreseen() -> None:
    lines = told(evidence.work(over_budget="the audit needs it"), inputs(check(0.05, 0.02, 0.1)))

    assert lines == {
        "Forecast": "no forecast: first release",
        "Over budget": "allowed: the audit needs it",
    }


def test_a_step_that_nobody_foresaw_and_work_that_was_found_do_not_blur_the_comparison() -> None:
    foreseen = Forecast(num_releases=1, tasks=(TaskDone(task="finetune", step="finetune", seconds=60),))

    text = told(evidence.work(forecast=foreseen), finetune_after=-60)["Forecast"]

    assert text.endswith("for the steps so far 60 s, they took 0.0 s (−100%)")
