"""Priors: modules whose call returns p(z)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

if TYPE_CHECKING:
    from collections.abc import Callable


class StandardNormal(nn.Module):
    """p(z) = N(0, I).

    Args:
        latent_dim: Dimension of z.

    Raises:
        ValueError: A dimension below one.
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, not {latent_dim}.")
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.ones(latent_dim), persistent=False)

    def forward(self) -> Distribution:
        """The prior, batch shape [], event shape [latent_dim]."""
        return Independent(Normal(self.loc, self.scale, validate_args=False), 1, validate_args=False)


PRIORS: dict[str, Callable[..., nn.Module]] = {"standard-normal": StandardNormal}
