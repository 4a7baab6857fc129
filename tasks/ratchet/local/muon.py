"""Muon in fp32.

torch.optim.Muon orthogonalizes in bf16, which a processor without bf16 units emulates: one step of the tiny base model
then takes 3.6 s instead of 0.13 s. This is the same update (https://kellerjordan.github.io/posts/muon), with AdamW's
step size (https://arxiv.org/abs/2502.16982), in the parameters' own dtype.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

# Of the polynomial that pushes singular values towards 1, from the first source.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
RMS_OF_ADAMW = 0.2  # of an update's elements, from the second source


class Muon(torch.optim.Optimizer):  # type: ignore[misc]
    """Nesterov momentum, orthogonalized. For matrices only."""

    def __init__(
        self, matrices: Iterable[Tensor], learning_rate: float, momentum: float = 0.95, weight_decay: float = 0.1
    ) -> None:
        super().__init__(matrices, {"lr": learning_rate, "momentum": momentum, "weight_decay": weight_decay})

    def step(self) -> None:
        with torch.no_grad():
            for group in self.param_groups:
                for matrix in group["params"]:
                    mean = self.state[matrix].setdefault("mean", torch.zeros_like(matrix))
                    mean.lerp_(matrix.grad, 1 - group["momentum"])
                    update = orthogonalized(matrix.grad.lerp(mean, group["momentum"]))
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.add_(update, alpha=-group["lr"] * RMS_OF_ADAMW * max(matrix.shape) ** 0.5)


def orthogonalized(matrix: Tensor) -> Tensor:
    """The matrix with all singular values near 1 (0.7 to 1.2), its directions kept."""
    a, b, c = COEFFICIENTS
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x
