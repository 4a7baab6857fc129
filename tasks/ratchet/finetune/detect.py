"""Did the training learn anything? A run that learned nothing looks green: it ends, it saves, its loss is small."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ratchet.core.errors import TerminalError

MIN_TRAINABLE_SHARE = 1e-4  # of all tokens; below this the answers are masked or cut away
MAX_WINDOW_STEPS = 10  # the first and the last loss are means of up to so many steps


class LearnedNothing(TerminalError):
    """The training went through, or would have, and changed nothing for the better."""

    code = "TRAIN_LEARNED_NOTHING"


@dataclass(frozen=True)
class LossDrop:
    first: float
    last: float


def check_labels(num_rows: int, num_too_long: int, num_tokens: int, num_trainable_tokens: int) -> None:
    """Are there answers to learn from? Token counts are of the rows that fit, `num_rows` is all of them."""
    if num_tokens == 0 or num_trainable_tokens < MIN_TRAINABLE_SHARE * num_tokens:
        raise LearnedNothing(
            f"nothing to learn from: {num_trainable_tokens} of {num_tokens} tokens are answers, "
            f"{num_too_long} of {num_rows} rows do not fit into max_seq_len_tokens; "
            "raise max_seq_len_tokens, or look at what prepare made of the rows"
        )


def check_step(step: int, metrics: Mapping[str, float]) -> None:
    """Raised at once: from NaN on no later step can be better."""
    for name in ("loss", "grad_norm"):
        if not math.isfinite(metrics.get(name, 0.0)):
            raise LearnedNothing(
                f"{name} is {metrics[name]} at step {step}: the weights are lost from here on; "
                "lower learning_rate or raise warmup_steps"
            )


def check_curve(losses: Sequence[float], min_loss_drop: float) -> LossDrop:
    """First and last loss, each the mean over a tenth of the steps (1 to 10), if enough of the first one is gone.

    Args:
        losses: one per step, all of them, in order.
        min_loss_drop: share of the first loss that must be gone, 0 to 1.
    """
    window = max(1, min(MAX_WINDOW_STEPS, len(losses) // 10))
    first, last = sum(losses[:window]) / window, sum(losses[-window:]) / window
    if first == 0.0:
        raise LearnedNothing(f"the loss is 0 from the start of {len(losses)} steps: no token was trained on")
    drop = (first - last) / first
    if drop < min_loss_drop:
        raise LearnedNothing(
            f"the loss went from {first:.4f} to {last:.4f} over {len(losses)} steps (means of {window}): "
            f"{drop:.1%} is gone, expected at least {min_loss_drop:.1%}; "
            "raise learning_rate or num_train_epochs, or look whether the labels fit the texts"
        )
    return LossDrop(first, last)
