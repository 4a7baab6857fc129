"""A budget stops a release before it starts."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from tests.fakes.costs import done, rates, run

from ratchet.core.budget import Budget, OverBudget, hold, spent_in_month, why_over
from ratchet.core.costs import Forecast

ONE_EURO = Forecast(num_releases=2, tasks=(done("gate", 3600),))


@pytest.mark.parametrize(
    ("budget", "spent", "words"),
    [
        (Budget(per_release=1.0), 99, ""),
        (
            Budget(per_release=0.99),
            0,
            "about 60 min of steps, about 1.00 EUR, from the last 2 releases, and the recipe ",
        ),
        (Budget(per_release=0.99), 0, "allows 0.99 EUR for a release"),
        (Budget(per_month=3.0), 2.0, ""),
        (Budget(per_month=3.0), 2.01, "this month has cost 2.01 EUR, and the recipe allows 3.00 EUR for a month"),
        (Budget(per_release=5.0, per_month=3.0), 2.01, "for a month"),
    ],
)
def test_a_release_fits_up_to_the_very_limit(budget: Budget, spent: float, words: str) -> None:
    why = why_over(budget, ONE_EURO, spent, rates())

    assert bool(why) == bool(words)
    assert words in why


def test_what_cannot_be_foreseen_is_not_held_up() -> None:
    assert why_over(Budget(per_release=0.01, per_month=0.01), Forecast(), 99, rates()) == ""


def test_a_month_is_a_calendar_month_whose_runs_are_counted_once() -> None:
    february = datetime(2026, 2, 1, tzinfo=UTC)
    records = [
        run("a", done("gate", 3600)),
        run("b", done("gate", 3600), at=datetime(2026, 1, 31, 23, 59, tzinfo=UTC)),
        run("b", done("gate", 7200), at=datetime(2026, 1, 31, 23, 59, tzinfo=UTC)),
        run("c", done("gate", 3600), at=february),
        run("d", done("gate", 3600), at=datetime(2025, 1, 9, tzinfo=UTC)),
        run("e", done("gate", 3600), rates=None),
    ]

    assert spent_in_month(records, datetime(2026, 1, 31, tzinfo=UTC)) == 3.0
    assert spent_in_month(records, february) == 1.0


def test_what_does_not_fit_is_refused_with_what_to_do() -> None:
    with pytest.raises(OverBudget, match=r"not started: it is dear. To start it .*--over-budget --reason") as caught:
        hold("it is dear", " ")

    assert caught.value.exit_code == 65


def test_a_written_reason_starts_it_all_the_same() -> None:
    hold("it is dear", "the audit needs it today")
    hold("", "")


@pytest.mark.parametrize("limits", [{}, {"per_release": 0}, {"per_month": -1}])
def test_a_budget_of_nothing_is_refused(limits: dict) -> None:
    with pytest.raises(ValidationError):
        Budget(**limits)
