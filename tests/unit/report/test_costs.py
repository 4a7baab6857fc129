"""What a run is said to have taken, done anew and found."""

import pytest
from tests.unit.report import evidence

from ratchet.core.memo import Manifest
from ratchet.report.contract import RunWork
from ratchet.report.costs import RunCosts, run_costs


def manifests(work: RunWork, finetune_after: float = 1) -> list[Manifest | None]:
    """resolve took 6 s, finetune 720 s, gate 2 s; `finetune_after`: minutes after resolve."""
    resolve, finetune, gate = work.tasks
    return [
        evidence.manifest(resolve, seconds=6, minutes_after=0),
        evidence.manifest(finetune, seconds=720, minutes_after=finetune_after),
        evidence.manifest(gate, seconds=2, minutes_after=20),
    ]


def costs(work: RunWork, found: list[Manifest | None]) -> RunCosts:
    return run_costs(evidence.inputs(), work, found, evidence.training_log())


def test_what_the_run_did_is_summed_and_priced() -> None:
    work = evidence.work(evidence.rates())

    found = costs(work, manifests(work))

    assert (found.seconds, found.saved_seconds) == (728, 0)
    assert found.money == pytest.approx(720 / 3600 * 2.5 + 8 / 3600 * 0.1)
    assert [found.priced(step.money) for step in found.steps] == ["< 0.01 EUR", "0.50 EUR", "< 0.01 EUR"]
    assert found.longest
    assert found.longest.task == "finetune"


def test_what_an_earlier_run_did_was_found_and_costs_nothing_now() -> None:
    work = evidence.work(evidence.rates())

    found = costs(work, manifests(work, finetune_after=-60))

    assert [step.was_found for step in found.steps] == [False, True, False]
    assert (found.seconds, found.saved_seconds) == (8, 720)
    assert found.priced(found.steps[1].money) == "0.00 EUR"
    assert found.money == pytest.approx(8 / 3600 * 0.1)
    assert found.longest
    assert found.longest.task == "resolve"


def test_without_prices_there_is_no_money() -> None:
    work = evidence.work()

    found = costs(work, manifests(work))

    assert (found.money, found.priced(found.money)) == (None, "")


def test_a_manifest_that_is_gone_is_counted_as_nothing() -> None:
    work = evidence.work(evidence.rates())
    known = manifests(work)

    found = costs(work, [known[0], None, known[2]])

    assert (found.seconds, found.steps[1].seconds, found.steps[1].money) == (8, None, None)


def test_samples_and_tokens_are_those_of_the_evidence() -> None:
    work = evidence.work()

    found = costs(work, manifests(work))

    assert (found.num_measured, found.num_samples, found.num_tokens) == (640, 1200, 125 * 2000)
