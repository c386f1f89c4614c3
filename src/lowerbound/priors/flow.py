"""Priors that are normalizing flows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.distributions.flow import Bijection, Flow, autoregressive_maps
from lowerbound.priors.checks import check_at_least_one


class FlowPrior(nn.Module):
    """p(z) = N(T⁻¹(z); 0, I) |det ∂T⁻¹/∂z|, with T learned.

    The density, which training needs, takes one pass; a draw takes a pass for each dimension, or two with coupling.

    Args:
        latent_dim: Dimension of z.
        transforms: How many autoregressive maps are stacked, the order of z reversed in between.
        hidden: Units of the hidden layers of each map's network.
        bijection: What each map does to an entry of z: "affine", or "spline" (monotone rational-quadratic on [−5, 5],
            the identity outside).
        coupling: The second half of z is moved by functions of the first, instead of each entry by those before it.

    Raises:
        ValueError: A number below one, or an unknown bijection.

    References:
        Papamakarios, Pavlakou and Murray, Masked autoregressive flow for density estimation, 2017.
        Dinh, Sohl-Dickstein and Bengio, Density estimation using real NVP, 2017 (coupling).
        Durkan et al., Neural spline flows, 2019.
    """

    space = "real"
    like: Tensor

    def __init__(
        self,
        latent_dim: int,
        transforms: int = 3,
        hidden: Sequence[int] = (128, 128),
        bijection: Bijection = "affine",
        coupling: bool = False,
    ) -> None:
        super().__init__()
        check_at_least_one(latent_dim=latent_dim)
        self.maps = autoregressive_maps(
            latent_dim, context=0, transforms=transforms, hidden=hidden, bijection=bijection, coupling=coupling
        )
        self.register_buffer("like", torch.zeros(latent_dim), persistent=False)

    def forward(self) -> Distribution:
        """The prior."""
        return Flow(self.maps(None).inv, torch.Size(), self.like)
