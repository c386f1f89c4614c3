"""A network and a head make a conditional distribution: p(y | x) = head(network(x))."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution


class Head(Protocol):
    """What turns a network's output into a distribution: a posterior or a likelihood."""

    @property
    def parameter_shape(self) -> tuple[int, ...]:
        """What the network must produce for one datum."""
        ...

    def __call__(self, parameters: Float[Tensor, "..."]) -> Distribution:
        """The distribution with these parameters, [*batch, *parameter_shape] → batch shape `batch`."""
        ...


class Conditional(nn.Module):
    """A conditional distribution: the encoder q(z | x) and the decoder p(x | z) are both of this kind.

    Args:
        network: Any module from [N, *in_shape] to N data of the head's parameter shape (in any layout).
        head: From parameters to a distribution.
        in_shape: Shape of one input; a network of this library knows its own, for others a vector is assumed.
    """

    def __init__(self, network: nn.Module, head: Head, *, in_shape: Sequence[int] | None = None) -> None:
        super().__init__()
        self.network = network
        self.head = head
        self.in_dims = len(in_shape if in_shape is not None else getattr(network, "in_shape", (0,)))

    def forward(self, x: Float[Tensor, "*batch *in"], context: Float[Tensor, "*batch C"] | None = None) -> Distribution:
        """The distribution given x (and the context, which is handed to the network as its second argument).

        Densities are computed in float32 even where the network ran in bfloat16.
        """
        batch = x.shape[: x.ndim - self.in_dims]
        inputs = [x.reshape(-1, *x.shape[len(batch) :])]
        if context is not None:
            inputs.append(context.expand(*batch, context.shape[-1]).reshape(-1, context.shape[-1]))
        parameters = self.network(*inputs)
        if parameters.dtype in (torch.bfloat16, torch.float16):
            parameters = parameters.float()
        return self.head(parameters.reshape(*batch, *self.head.parameter_shape))

    @torch.no_grad()
    def initialise_output(self, parameters: Float[Tensor, "*parameter_shape"]) -> None:
        """Let the distribution start, before any training, near the one with these parameters."""
        self.network.initialise_output(parameters)  # pyright: ignore[reportCallIssue]


class Centre(nn.Module):
    """Subtracts a fixed mean from the input, then applies a network.

    Inputs that are never negative (pixels) push every weight of a unit in the same direction; centred inputs let the
    first layer learn faster (LeCun et al., Efficient BackProp, 1998, section 4.3).

    Args:
        mean: Mean of the training data as the network sees it, [*in_shape].
        network: The network behind it.
    """

    mean: Tensor

    def __init__(self, mean: Float[Tensor, "*in"], network: nn.Module) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.network = network
        self.in_shape = tuple(mean.shape)

    def forward(self, x: Float[Tensor, "N *in"], *context: Float[Tensor, "N C"]) -> Float[Tensor, "N *out"]:
        """The network's output for x − mean."""
        return self.network(x - self.mean, *context)


def check_shape(shape: Sequence[int], what: str) -> tuple[int, ...]:
    """The shape as a tuple.

    Raises:
        ValueError: It is empty, or a size is not positive.
    """
    if not shape or math.prod(shape) < 1 or min(shape) < 1:
        raise ValueError(f"The {what} must have positive sizes, not {tuple(shape)}.")
    return tuple(shape)
