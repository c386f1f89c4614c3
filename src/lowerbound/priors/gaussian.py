"""Gaussian priors, and mixtures of Gaussians."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from lowerbound.distributions import DiagonalGaussianMixture
from lowerbound.distributions.gaussian import bounded
from lowerbound.priors.checks import check_at_least_one


class StandardNormal(nn.Module):
    """p(z) = N(0, I).

    Args:
        latent_dim: Dimension of z.

    Raises:
        ValueError: A dimension below one.
    """

    space = "real"
    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        check_at_least_one(latent_dim=latent_dim)
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.ones(latent_dim), persistent=False)

    def forward(self) -> Distribution:
        """The prior, batch shape [], event shape [latent_dim]."""
        return Independent(Normal(self.loc, self.scale, validate_args=False), 1, validate_args=False)


class GaussianMixture(nn.Module):
    """p(z) = Σ_c π_c N(μ_c, diag σ_c²), all of it learned.

    Args:
        latent_dim: Dimension of z.
        components: How many Gaussians there are.
        spread: Standard deviation, around zero, of the means that it starts from; the variances start at 1.

    Raises:
        ValueError: A dimension or a number of components below one, or a negative spread.

    References:
        Dilokthanakul et al., Deep unsupervised clustering with Gaussian mixture variational autoencoders, 2016.
        Tomczak and Welling, VAE with a VampPrior, 2018, section 3 (the mixture of Gaussians prior).
    """

    space = "real"

    def __init__(self, latent_dim: int, components: int = 10, spread: float = 1.0) -> None:
        super().__init__()
        check_at_least_one(latent_dim=latent_dim, components=components)
        if spread < 0:
            raise ValueError(f"spread must not be negative, it is {spread}.")
        self.logits = nn.Parameter(torch.zeros(components))
        self.loc = nn.Parameter(spread * torch.randn(components, latent_dim))
        self.log_variance = nn.Parameter(torch.zeros(components, latent_dim))

    def forward(self) -> Distribution:
        """The prior."""
        return DiagonalGaussianMixture(self.logits, self.loc, torch.exp(0.5 * bounded(self.log_variance)))
