import math

import pytest

from ratchet.core.errors import TerminalError
from ratchet.finetune.detect import LearnedNothing, LossDrop, check_curve, check_labels, check_step


def test_learning_nothing_is_terminal() -> None:
    assert issubclass(LearnedNothing, TerminalError)


@pytest.mark.parametrize(("num_tokens", "num_trainable"), [(0, 0), (10_000, 0), (1_000_000, 99)])
def test_rows_without_answers_are_refused_with_numbers(num_tokens: int, num_trainable: int) -> None:
    with pytest.raises(LearnedNothing, match=f"{num_trainable} of {num_tokens} tokens are answers, 3 of 5 rows"):
        check_labels(num_rows=5, num_too_long=3, num_tokens=num_tokens, num_trainable_tokens=num_trainable)


@pytest.mark.parametrize("num_trainable", [100, 1_000_000])
def test_rows_with_answers_are_accepted(num_trainable: int) -> None:
    check_labels(num_rows=5, num_too_long=0, num_tokens=1_000_000, num_trainable_tokens=num_trainable)


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_step_that_is_not_finite_ends_the_training(name: str, value: float) -> None:
    with pytest.raises(LearnedNothing, match=rf"{name} is {value} at step 7"):
        check_step(7, {"loss": 1.0, "grad_norm": 1.0, name: value})


def test_a_finite_step_goes_on() -> None:
    check_step(7, {"loss": 0.0, "grad_norm": 0.0})


@pytest.mark.parametrize(
    ("losses", "min_loss_drop", "learned"),
    [
        ([1.0, 0.5], 0.5, True),  # exactly enough
        ([1.0, 0.51], 0.5, False),
        ([1.0, 1.0], 0.0, True),
        ([1.0, 1.1], 0.0, False),
        ([0.0, 0.0], 0.0, False),
        ([0.5], 0.1, False),
    ],
)
def test_the_loss_must_drop(losses: list[float], min_loss_drop: float, learned: bool) -> None:
    if learned:
        assert check_curve(losses, min_loss_drop) == LossDrop(losses[0], losses[-1])
    else:
        with pytest.raises(LearnedNothing):
            check_curve(losses, min_loss_drop)


@pytest.mark.parametrize(("steps", "window"), [(19, 1), (20, 2), (100, 10), (1000, 10)])
def test_first_and_last_loss_are_means_of_a_tenth_of_the_steps(steps: int, window: int) -> None:
    losses = [2.0] * window + [9.0] * (steps - 2 * window) + [1.0] * window

    assert check_curve(losses, 0.1) == LossDrop(2.0, 1.0)
