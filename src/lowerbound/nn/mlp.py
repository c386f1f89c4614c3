"""Multilayer perceptrons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lowerbound.nn.activations import activation_layer
from lowerbound.nn.conditional import check_shape


class MLP(nn.Module):
    """Fully connected layers with an activation between them.

    Args:
        in_shape: Shape of one input; it is flattened.
        out_shape: Shape of one output.
        hidden: Units of each hidden layer.
        activation: One of `ACTIVATIONS`.
        context_dim: Entries of the covariate, which the first layer sees beside the input; 0: there is none.

    Raises:
        ValueError: A size below one, or an unknown activation.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        hidden: Sequence[int] = (500, 500),
        activation: str = "silu",
        context_dim: int = 0,
    ) -> None:
        super().__init__()
        self.in_shape = check_shape(in_shape, "input shape")
        self.out_shape = check_shape(out_shape, "output shape")
        if any(units < 1 for units in hidden):
            raise ValueError(f"hidden layers need at least one unit each, not {list(hidden)}.")
        sizes = [math.prod(self.in_shape) + context_dim, *hidden, math.prod(self.out_shape)]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), activation_layer(activation)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Float[Tensor, "N *in"], *context: Float[Tensor, "N C"]) -> Float[Tensor, "N *out"]:
        """One output for each input, and for its context in a conditional model."""
        inputs = torch.cat([x.flatten(1), *context], 1) if context else x.flatten(1)
        return self.layers(inputs).unflatten(1, self.out_shape)

    @torch.no_grad()
    def initialise_output(self, parameters: Float[Tensor, "*out"]) -> None:
        """Set the bias of the last layer."""
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        last.bias.copy_(parameters.flatten())


def mlp_decoder(
    in_shape: Sequence[int],
    out_shape: Sequence[int],
    hidden: Sequence[int] = (500, 500),
    activation: str = "silu",
    context_dim: int = 0,
) -> MLP:
    """The mirror image of the encoder's `MLP`: its hidden layers in reverse order."""
    return MLP(in_shape, out_shape, tuple(reversed(hidden)), activation, context_dim)
