"""A prior over choices that depend on one another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import linear

from lowerbound.distributions import AutoregressiveOneHot
from lowerbound.priors.checks import check_at_least_one, groups_of


class AutoregressiveCategorical(nn.Module):
    """p(z) = Π_g p(z_g | z_1 … z_{g−1}) over groups of one-hot vectors, by one network with masked weights.

    Its probabilities are exact and take one pass, a draw takes a pass for each group.

    Args:
        latent_dim: Dimension of z, a multiple of `categories`.
        categories: Of each group; None: all of z is one group.
        hidden: Units of each hidden layer.

    Raises:
        ValueError: Fewer than two categories, no multiple of them, or a layer without units.

    References:
        Germain, Gregor, Murray and Larochelle, MADE: masked autoencoder for distribution estimation, 2015, section 4.
        van den Oord et al., Neural discrete representation learning, 2017, section 3.3 (as the prior over codes).
    """

    space = "one-hot"

    def __init__(self, latent_dim: int, categories: int | None = None, hidden: Sequence[int] = (512, 512)) -> None:
        super().__init__()
        self.groups = groups_of(latent_dim, categories)
        for units in hidden:
            check_at_least_one(hidden=units)
        # A unit of degree g sees the groups before g. Hidden units of the first group would see nothing.
        count, size = self.groups
        last = max(count - 1, 1)
        degrees = [torch.arange(units) % last + 1 for units in hidden]
        inputs = torch.arange(1, count + 1).repeat_interleave(size)
        outputs = torch.arange(count).repeat_interleave(size)
        layers: list[nn.Module] = []
        for before, after in pairwise([inputs, *degrees, outputs]):
            layers += [_Masked(_sees(before, after)), nn.SiLU()]
        self.network = nn.Sequential(*layers[:-1])

    def logits(self, z: Float[Tensor, "*sample D"]) -> Float[Tensor, "*sample G C"]:
        """Of every group, given those before it."""
        return self.network(z).unflatten(-1, self.groups)

    def forward(self) -> Distribution:
        """The prior."""
        return AutoregressiveOneHot(self.logits, *self.groups, next(self.parameters()))


def _sees(before: Int[Tensor, " I"], after: Int[Tensor, " O"]) -> Bool[Tensor, "O I"]:
    """Which units see which: those of their own degree and of lower ones."""
    return before <= after.unsqueeze(1)


class _Masked(nn.Linear):
    """A linear layer, some of whose weights are held at zero."""

    mask: Tensor

    def __init__(self, mask: Bool[Tensor, "O I"]) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, input: Float[Tensor, "*sample I"]) -> Float[Tensor, "*sample O"]:
        return linear(input, self.weight * self.mask, self.bias)
