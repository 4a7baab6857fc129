"""Chance is told as often as was said, and a planted shift is found."""

import pytest
import torch

from ratchet.drift.energy import apart


def points(num: int, seed: int, shift: float = 0.0, spread: float = 1.0) -> torch.Tensor:
    dice = torch.Generator().manual_seed(seed)
    return torch.randn(num, 8, generator=dice) * spread + shift


def test_samples_of_one_place_are_told_in_one_of_a_hundred() -> None:
    told = [
        found.distance > found.by_chance
        for found in (apart(points(60, 2 * n), points(80, 2 * n + 1), n) for n in range(200))
    ]

    assert sum(told) <= 7  # of 200, each with a chance of 1 %: more than 7 have one of 0.1 %


@pytest.mark.parametrize(("shift", "spread"), [(1.0, 1.0), (0.0, 2.0)], ids=["elsewhere", "wider"])
def test_another_place_and_another_spread_are_found(shift: float, spread: float) -> None:
    found = [apart(points(60, 2 * n, shift, spread), points(80, 2 * n + 1), n) for n in range(10)]

    assert all(one.distance > one.by_chance for one in found)


def test_the_distance_is_that_of_its_definition() -> None:
    now, before = points(5, 1).double(), points(7, 2).double()
    both = torch.cat([now, before])
    x, y = ((side - both.mean(0)) / both.std(0, correction=0) for side in (now, before))

    def mean(one: torch.Tensor, other: torch.Tensor) -> float:
        return sum(float((a - b).norm()) for a in one for b in other) / (len(one) * len(other))

    between = mean(x, y)

    assert apart(now, before, 0).distance == pytest.approx((2 * between - mean(x, x) - mean(y, y)) / (2 * between))


def test_equal_samples_are_at_no_distance_and_two_points_at_the_largest() -> None:
    same = points(10, 1)

    assert apart(same, same, 0).distance == pytest.approx(0.0, abs=1e-12)
    assert apart(torch.zeros(5, 2), torch.ones(5, 2), 0).distance == pytest.approx(1.0)
    assert apart(torch.zeros(5, 2), torch.zeros(5, 2), 0).distance == 0.0
