"""Seconds and money, as people say them."""

import pytest

from ratchet.core.amounts import duration, money


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10.0, "10 s"),
        (119.4, "119 s"),
        (119.5, "2 min"),
        (7169, "119 min"),
        (7200, "2 h 00 min"),
        (9000, "2 h 30 min"),
    ],
)
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0.0, "0.00 EUR"), (0.0049, "< 0.01 EUR"), (0.005, "0.01 EUR"), (1234.5, "1,234.50 EUR")],
)
def test_money_is_said_to_the_cent(amount: float, text: str) -> None:
    assert money(amount, "EUR") == text
