"""Priors that prefer nothing: on the sphere, and over choices. They learn nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.distributions import OneHotGroups, RelaxedOneHotGroups, SphereUniform
from lowerbound.priors.checks import check_temperature, groups_of


class UniformSphere(nn.Module):
    """p(z) is constant on the unit sphere in R^latent_dim.

    Args:
        latent_dim: Dimension of the space around the sphere, at least two.

    Raises:
        ValueError: A dimension below two.

    References:
        Davidson et al., Hyperspherical variational auto-encoders, 2018.
    """

    space = "sphere"
    like: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 2:
            raise ValueError(f"A sphere needs latent_dim to be at least 2, not {latent_dim}.")
        self.latent_dim = latent_dim
        self.register_buffer("like", torch.zeros(()), persistent=False)

    def forward(self) -> Distribution:
        """The prior."""
        return SphereUniform(self.latent_dim, self.like)


class UniformCategorical(nn.Module):
    """p(z): every category of every group is as probable.

    Args:
        latent_dim: Dimension of z, a multiple of `categories`.
        categories: Of each group; None: all of z is one group.

    Raises:
        ValueError: Fewer than two categories, or no multiple of them.
    """

    space = "one-hot"
    logits: Tensor

    def __init__(self, latent_dim: int, categories: int | None = None) -> None:
        super().__init__()
        self.groups = groups_of(latent_dim, categories)
        self.register_buffer("logits", torch.zeros(self.groups), persistent=False)

    def forward(self) -> Distribution:
        """The prior."""
        return OneHotGroups(self.logits)


class UniformRelaxedCategorical(nn.Module):
    """p(z) is the relaxed categorical distribution with equal probabilities.

    A bound needs the density of a relaxed posterior against that of a relaxed prior, not against probabilities.

    Args:
        latent_dim: Dimension of z, a multiple of `categories`.
        categories: Of each group; None: all of z is one group.
        temperature: Of the relaxation; it may differ from the posterior's.

    Raises:
        ValueError: Fewer than two categories, no multiple of them, or a temperature that is not positive.

    References:
        Maddison, Mnih and Teh, The concrete distribution, 2017, section 3.3.
    """

    space = "simplex"
    logits: Tensor

    def __init__(self, latent_dim: int, categories: int | None = None, temperature: float = 0.5) -> None:
        super().__init__()
        check_temperature(temperature)
        self.groups, self.temperature = groups_of(latent_dim, categories), temperature
        self.register_buffer("logits", torch.zeros(self.groups), persistent=False)

    def forward(self) -> Distribution:
        """The prior."""
        return RelaxedOneHotGroups(self.logits, self.temperature)
