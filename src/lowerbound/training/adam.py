"""Adam in one fused kernel, with clipping and the gate against non-finite steps inside it.

    m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²,   θ ← θ − η m̂ / (√v̂ + ε)

References:
    Kingma and Ba, Adam: A method for stochastic optimization, 2015, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Adam:
    """The update of `torch.optim.Adam(fused=True)`, and its kernel, without the bookkeeping around it.

    That bookkeeping costs as much as a fiftieth of a whole step of a small model on a processor, and the gate that
    skips a step without waiting for the device is not among its public arguments.

    Args:
        parameters: What is optimised; all of one type, on one device.
        betas: β₁ and β₂.
        epsilon: ε.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8
    ) -> None:
        self.parameters: list[Tensor] = list(parameters)
        self.betas = betas
        self.epsilon = epsilon
        self.means = [torch.zeros_like(p) for p in self.parameters]
        self.squares = [torch.zeros_like(p) for p in self.parameters]
        self.count = torch.zeros((), device=self.parameters[0].device)

    @torch.no_grad()
    def step(
        self,
        gradients: list[Tensor],
        learning_rate: float,
        skip: Float[Tensor, ""],
        divisor: Float[Tensor, ""] | None = None,
    ) -> None:
        """One update of every parameter, in place.

        Args:
            gradients: One for each parameter; they are divided in place.
            learning_rate: η.
            skip: 1 leaves parameters and moments as they are, 0 does not.
            divisor: What the gradients are divided by first.
        """
        self.count += 1 - skip
        torch._fused_adam_(  # pyright: ignore[reportCallIssue, reportPrivateImportUsage]
            self.parameters,
            gradients,
            self.means,
            self.squares,
            [],
            [self.count] * len(gradients),
            lr=learning_rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.epsilon,
            amsgrad=False,
            maximize=False,
            grad_scale=divisor,
            found_inf=skip,
        )
