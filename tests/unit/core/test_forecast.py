"""A release is foreseen from the last ones of its line."""

import pytest
from tests.fakes.costs import done, rates, run

from ratchet.core.costs import CostRecord, Forecast
from ratchet.core.forecast import NUM_RELEASES, forecast, forecast_cost, said


def seconds_of(foreseen: Forecast) -> dict[str, float]:
    return {task.task: task.seconds for task in foreseen.tasks}


def history(*seconds: float) -> list[CostRecord]:
    return [run(str(number), done("finetune", took)) for number, took in enumerate(seconds)]


def test_each_task_takes_the_median_of_the_last_releases() -> None:
    foreseen = forecast(history(100, 300, 9000), 1000)

    assert (foreseen.num_releases, foreseen.seconds) == (3, 300)


def test_what_is_long_past_is_not_looked_at() -> None:
    assert forecast(history(9000, *[100] * NUM_RELEASES), 1000) == forecast(history(*[100] * NUM_RELEASES), 1000)


def test_only_steps_that_grow_with_the_data_are_scaled_to_it() -> None:
    before = [run("a", done("finetune", 100), done("stage", 100))]

    foreseen = forecast(before, 2500, grows=("finetune",))

    assert seconds_of(foreseen) == {"finetune": 250, "stage": 100}


def test_a_release_that_ended_at_the_gate_does_not_say_that_staging_takes_nothing() -> None:
    stopped = [run(name, done("finetune", 100)) for name in ("b", "c")]

    foreseen = forecast([run("a", done("finetune", 100), done("stage", 60), overlap_seconds=500), *stopped], 1000)

    assert seconds_of(foreseen) == {"finetune": 100, "stage": 60}
    assert foreseen.overlap_seconds == 500


def test_a_release_in_several_runs_is_one_release() -> None:
    runs = [run("a", done("finetune", 100), run_id="1"), run("a", done("finetune", 0), done("gate", 5), run_id="2")]

    foreseen = forecast(runs, 1000)

    assert (foreseen.num_releases, seconds_of(foreseen)) == (1, {"finetune": 100, "gate": 5})


def test_what_an_earlier_run_of_the_same_release_did_is_found_and_what_acts_is_done_again() -> None:
    began = run("b", done("resolve", 3), done("finetune", 100))
    before = run("a", done("resolve", 2), done("finetune", 90), done("gate", 5))

    foreseen = forecast([before, began], 1000, release_id="b")

    assert (foreseen.num_releases, seconds_of(foreseen)) == (1, {"resolve": 2, "finetune": 0, "gate": 5})


def test_the_cost_is_that_of_steps_storage_and_overlap_at_todays_prices() -> None:
    before = [run("a", done("finetune", 360, new_bytes=1 << 30), overlap_seconds=3600)]
    today = rates(storage_per_gib_month=0.5, serving_per_hour=2.0)

    assert forecast_cost(forecast(before, 1000), today) == pytest.approx(1.0 + 0.5 + 2.0)


@pytest.mark.parametrize(
    ("records", "priced", "text"),
    [
        ([], True, "no forecast: first release"),
        (history(420), True, "about 7 min of steps, about 1.17 EUR, from the last release"),
        (history(420, 420, 420), True, "about 7 min of steps, about 1.17 EUR, from the last 3 releases"),
        (history(420, 420), False, "about 7 min of steps, from the last 2 releases"),
    ],
)
def test_it_is_one_line(records: list[CostRecord], priced: bool, text: str) -> None:
    assert said(forecast(records, 1000), rates() if priced else None) == text
