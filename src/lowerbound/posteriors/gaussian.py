"""Gaussian posteriors: diagonal, full, low-rank, and turned by reflections."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution, LowRankMultivariateNormal, MultivariateNormal

from lowerbound.distributions import HouseholderGaussian
from lowerbound.distributions.gaussian import bounded, diagonal_gaussian
from lowerbound.priors.checks import check_at_least_one

# Of an entry of a low-rank factor, in standard deviations of the diagonal: beyond it, whether I + Uᵀ diag(σ⁻²) U, with
# columns that are alike, still has a Cholesky factor in float32 is a matter of how a processor rounds.
FACTOR_BOUND = 100.0


class DiagonalGaussian(nn.Module):
    """q(z | x) = N(μ(x), diag σ²(x)); the features are μ, then log σ².

    Args:
        latent_dim: Dimension of z.

    Raises:
        ValueError: A dimension below one.

    References:
        Kingma and Welling, Auto-encoding variational Bayes, 2013, equation 9.
    """

    space = "real"

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        check_at_least_one(latent_dim=latent_dim)
        self.parameter_shape = (2 * latent_dim,)

    def forward(self, parameters: Float[Tensor, "*batch P"]) -> Distribution:
        """The posterior, event shape [latent_dim]."""
        mean, log_variance = parameters.chunk(2, dim=-1)
        return diagonal_gaussian(mean, log_variance)


class FullGaussian(nn.Module):
    """q(z | x) = N(μ(x), L(x) Lᵀ(x)); the features are μ, the logarithm of L's squared diagonal, and what is below it.

    Args:
        latent_dim: Dimension of z.

    Raises:
        ValueError: A dimension below one.

    References:
        Kingma and Welling, An introduction to variational autoencoders, 2019, section 2.5.1.
    """

    space = "real"

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        check_at_least_one(latent_dim=latent_dim)
        self.latent_dim = latent_dim
        self.parameter_shape = (2 * latent_dim + latent_dim * (latent_dim - 1) // 2,)

    def forward(self, parameters: Float[Tensor, "*batch P"]) -> Distribution:
        """The posterior, event shape [latent_dim]."""
        n = self.latent_dim
        mean, log_variance, below = parameters.split([n, n, n * (n - 1) // 2], dim=-1)
        rows, columns = torch.tril_indices(n, n, offset=-1, device=parameters.device)
        lower = torch.diag_embed(torch.exp(0.5 * bounded(log_variance)))
        lower[..., rows, columns] = below
        return MultivariateNormal(mean, scale_tril=lower, validate_args=False)


class LowRankGaussian(nn.Module):
    """q(z | x) = N(μ(x), U(x) Uᵀ(x) + diag σ²(x)); the features are μ, log σ² and U.

    An entry of U is at most 100 times the σ of its row.

    Args:
        latent_dim: Dimension of z.
        rank: Columns of U.

    Raises:
        ValueError: A dimension or a rank below one.

    References:
        Rezende, Mohamed and Wierstra, Stochastic backpropagation and approximate inference, 2014, section 4.3.
    """

    space = "real"

    def __init__(self, latent_dim: int, rank: int = 2) -> None:
        super().__init__()
        check_at_least_one(latent_dim=latent_dim, rank=rank)
        self.latent_dim, self.rank = latent_dim, rank
        self.parameter_shape = ((2 + rank) * latent_dim,)

    def forward(self, parameters: Float[Tensor, "*batch P"]) -> Distribution:
        """The posterior, event shape [latent_dim]."""
        n = self.latent_dim
        mean, log_variance, factor = parameters.split([n, n, n * self.rank], dim=-1)
        variance = torch.exp(bounded(log_variance))
        most = FACTOR_BOUND * variance.sqrt().unsqueeze(-1)
        factor = factor.unflatten(-1, (n, self.rank)).clamp(-most, most)
        return LowRankMultivariateNormal(mean, factor, variance, validate_args=False)


class Householder(nn.Module):
    """q(z | x) = N(U μ, U diag σ² Uᵀ) with U(x) a product of reflections; the features are μ, log σ² and the vectors.

    It is a linear flow that keeps volume: a full covariance for a number of features that grows with `reflections`.

    Args:
        latent_dim: Dimension of z.
        reflections: How many there are; `latent_dim` of them reach every rotation.

    Raises:
        ValueError: A dimension or a number of reflections below one.

    References:
        Tomczak and Welling, Improving variational auto-encoders using Householder flow, 2016.
    """

    space = "real"

    def __init__(self, latent_dim: int, reflections: int = 4) -> None:
        super().__init__()
        check_at_least_one(latent_dim=latent_dim, reflections=reflections)
        self.latent_dim, self.reflections = latent_dim, reflections
        self.parameter_shape = ((2 + reflections) * latent_dim,)

    def forward(self, parameters: Float[Tensor, "*batch P"]) -> Distribution:
        """The posterior, event shape [latent_dim]."""
        n = self.latent_dim
        mean, log_variance, vectors = parameters.split([n, n, n * self.reflections], dim=-1)
        return HouseholderGaussian(mean, log_variance, vectors.unflatten(-1, (self.reflections, n)))
