import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.sight.dashboards.units import readable, scale, ticks


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("s", 0, "0 s"),
        ("s", 0.0164, "16.4 ms"),
        ("s", 1, "1 s"),
        ("s", 90, "90 s"),
        ("s", 150, "2.5 min"),
        ("s", 30 * 3600, "30 h"),
        ("s", 3 * 86_400, "3 d"),
        ("s", -90, "−90 s"),
        ("bytes", 0, "0 B"),
        ("bytes", 1536 * 2**20, "1.5 GiB"),
        ("percentunit", 0.005, "0.5%"),
        ("reqps", 12.345, "12.3 req/s"),
        ("none", 12_345, "12,345"),
        ("none", 999.7, "1,000"),
        ("none", 0.0001, "0.0001"),
        ("tokens/s", 3, "3 tokens/s"),
    ],
)
def test_a_number_is_told_in_its_unit(unit: str, value: float, text: str) -> None:
    assert readable(unit, value) == text


def test_decimals_are_kept_where_they_are_asked_for() -> None:
    assert readable("none", 3.1, decimals=2) == "3.10"


def test_an_axis_has_one_unit_for_all_its_marks() -> None:
    axis = scale("s", 1700)

    assert [axis.say(mark) for mark in ticks(0, 1700, axis.factor)] == ["0 min", "10 min", "20 min", "30 min"]


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_an_axis_holds_what_is_drawn_on_it_with_few_marks(one: float, two: float) -> None:
    low, high = min(0.0, one, two), max(0.0, one, two)
    marks = ticks(low, high)

    span = marks[-1] - marks[0]
    assert span > 0
    assert marks[0] - 1e-6 * span <= low <= high <= marks[-1] + 1e-6 * span
    assert 3 <= len(marks) <= 7
