"""How far two samples of points lie apart, and how far chance alone would have dealt them."""
# N now, M before, H dimensions, A all of them (N + M), P permutations

import math
from dataclasses import dataclass
from typing import Any

NUM_PERMUTATIONS = 999
# With the sample itself a thousand ways to deal: in ten of them it is among the ten largest. 1 % is told by chance.
NUM_LARGER = 9
CONSTANT = 1e-9


@dataclass(frozen=True)
class Apart:
    """`distance` is 0 to 1; chance alone exceeds `by_chance` in one of a hundred."""

    distance: float
    by_chance: float


def apart(now_NH: Any, before_MH: Any, seed: int) -> Apart:
    """The energy distance of two samples as its coefficient of inhomogeneity, against a permutation test.

    (2 E|X-Y| - E|X-X'| - E|Y-Y'|) / 2 E|X-Y|: 0 for equal samples, 1 for two points. It sees any difference between
    distributions, not of means alone, and has no bandwidth to choose. Source: Székely and Rizzo 2013, Energy
    statistics: a class of statistics based on distances, J. Stat. Plan. Inference 143.

    Each dimension counts alike, measured in its standard deviation over both samples: a few dimensions of a language
    model's states are hundreds of times larger than the rest, and say little (Timkey and van Schijndel 2021, All bark
    and no bite, EMNLP).
    """
    import torch

    points_AH = torch.cat([now_NH, before_MH]).double()
    spread_H = points_AH.std(dim=0, correction=0)
    points_AH = (points_AH - points_AH.mean(dim=0)) / torch.where(spread_H > CONSTANT, spread_H, math.inf)
    num_all, num_now = len(points_AH), len(now_NH)
    dice = torch.Generator().manual_seed(seed)
    dealt_AP = torch.rand(num_all, NUM_PERMUTATIONS, generator=dice, dtype=torch.float64).argsort(dim=0) < num_now
    as_it_is_A1 = (torch.arange(num_all) < num_now)[:, None]
    found, *by_chance = _inhomogeneity(torch.cdist(points_AH, points_AH), torch.cat([as_it_is_A1, dealt_AP], dim=1))
    return Apart(distance=found, by_chance=sorted(by_chance, reverse=True)[NUM_LARGER])


def _inhomogeneity(distances_AA: Any, dealt_AP: Any) -> list[float]:
    """For each column, which says of every point whether it is of the first sample."""
    first_AP = dealt_AP.double()
    num_first = float(first_AP[:, 0].sum())
    num_second = len(first_AP) - num_first
    from_first_P = first_AP.T @ distances_AA.sum(dim=1)
    within_first_P = (first_AP * (distances_AA @ first_AP)).sum(dim=0)
    between_P = from_first_P - within_first_P
    within_second_P = distances_AA.sum() - 2 * from_first_P + within_first_P
    mean_between_P = between_P / (num_first * num_second)
    energy_P = 2 * mean_between_P - within_first_P / num_first**2 - within_second_P / num_second**2
    return [float(value) for value in (energy_P / (2 * mean_between_P)).nan_to_num(0.0)]
