"""What seconds, bytes and a second engine cost, by kind."""

from datetime import timedelta

import pytest
from tests.fakes.costs import JANUARY, done, rates, run

from ratchet.core.costs import release_cost, run_cost

GIB = 1 << 30
ALL = rates(storage_per_gib_month=0.02, serving_per_hour=6.0)


def test_each_kind_is_seconds_or_bytes_by_its_price() -> None:
    tasks = [done("resolve", 36), done("finetune", 720, new_bytes=5 * GIB), done("gate", 72)]

    cost = run_cost(tasks, overlap_seconds=1800, rates=ALL)

    assert cost == pytest.approx({"cpu": 0.03, "gpu": 2.0, "storage": 0.1, "serving": 3.0})


def test_a_kind_without_a_price_is_left_out_and_named() -> None:
    assert run_cost([done("gate", 3600, new_bytes=GIB)], 3600, rates()) == {"cpu": 1.0}
    assert rates().missing == ("storage", "serving")
    assert rates(serving_per_hour=0.0).missing == ("storage",)
    assert ALL.missing == ()


def test_a_release_costs_what_all_its_runs_cost() -> None:
    records = [run("a", done("finetune", 360), run_id="1"), run("b", done("gate", 3600)), run("a", done("gate", 720))]

    assert release_cost(records, "a") == pytest.approx({"cpu": 0.2, "gpu": 1.0})
    assert release_cost(records, "c") == {}


def test_a_run_that_was_cleared_and_went_on_is_counted_once() -> None:
    records = [run("a", done("gate", 3600)), run("a", done("gate", 3600), done("bake", 3600))]

    assert release_cost(records, "a") == {"cpu": 2.0}


def test_a_run_that_was_cleared_from_its_beginning_keeps_what_it_had_cost() -> None:
    again = run("a", done("gate", 0, was_found=True), done("bake", 3600), at=JANUARY + timedelta(days=1))

    assert release_cost([run("a", done("gate", 3600)), again], "a") == {"cpu": 2.0}


def test_a_run_costs_what_it_cost_at_the_prices_of_its_time() -> None:
    before, unpriced = rates(serving_per_hour=1.0), run("a", done("gate", 3600), run_id="2", rates=None)

    assert release_cost([run("a", overlap_seconds=3600, rates=before), unpriced], "a") == {"serving": 1.0}
