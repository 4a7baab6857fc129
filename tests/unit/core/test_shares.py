"""A share's interval, what chance makes of it, and a fall that may be looked for every day."""

import random

import pytest

from ratchet.core.shares import ALARM_LEVEL, above_by_chance, against, wilson


@pytest.mark.parametrize(
    ("num_hits", "num_all", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),  # by hand: z²/(n + z²)
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),  # these two: Newcombe 1998, Stat. Med. 17, table I
        (15, 148, 0.0624, 0.1605),
    ],
)
def test_the_interval_is_wilsons(num_hits: int, num_all: int, low: float, high: float) -> None:
    assert wilson(num_hits, num_all) == pytest.approx((low, high), abs=5e-5)


def test_chance_lets_a_share_rise_less_the_more_there_is() -> None:
    assert 0.01 < above_by_chance(0.01, 10_000) < above_by_chance(0.01, 100)


def test_a_share_above_chance_is_one_whose_one_sided_interval_leaves_the_truth_out() -> None:
    edge = above_by_chance(0.1, 1000) * 1000

    assert wilson(int(edge), 1000, confidence=1 - 2 * ALARM_LEVEL)[0] < 0.1
    assert wilson(int(edge) + 1, 1000, confidence=1 - 2 * ALARM_LEVEL)[0] > 0.1


@pytest.mark.parametrize(("num_right", "is_proof"), [(100, False), (90, False), (80, False), (70, True), (0, True)])
def test_of_a_hundred_labels_so_many_must_be_wrong_before_a_fall_is_proved(num_right: int, is_proof: bool) -> None:
    assert (against(num_right, 100, expected=0.9) >= 1 / ALARM_LEVEL) is is_proof


def test_many_labels_are_no_overflow() -> None:
    assert against(0, 1_000_000, expected=0.99) > 1 / ALARM_LEVEL
    assert against(1_000_000, 1_000_000, expected=0.99) < 1


def test_looking_every_day_does_not_raise_the_alarm_more_often() -> None:
    """500 releases of which nothing fell, 30 looks at each."""
    dice = random.Random(7)
    alarms = 0
    for _ in range(500):
        right, seen = 0, []
        for number in range(1, 601):
            right += dice.random() < 0.9
            if number % 20 == 0:
                seen.append(against(right, number, expected=0.9))
        alarms += max(seen) >= 1 / ALARM_LEVEL

    assert alarms <= 500 * ALARM_LEVEL
