"""Posteriors: heads that turn a network's features into q(z | x)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, LowRankMultivariateNormal, MultivariateNormal, Normal

if TYPE_CHECKING:
    from collections.abc import Callable

# Standard deviations from 5e-5 to 2e4: nothing that a trained model reaches, and nothing that overflows in float32.
LOG_VARIANCE_BOUND = 20.0


def bounded(log_variance: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The log-variance, kept where its exponential and its square are finite; within the bound it is unchanged."""
    return log_variance.clamp(-LOG_VARIANCE_BOUND, LOG_VARIANCE_BOUND)


class DiagonalGaussian(nn.Module):
    """q(z | x) = N(μ(x), diag σ²(x)); the features are μ, then log σ².

    Args:
        latent_dim: Dimension of z.

    Raises:
        ValueError: A dimension below one.

    References:
        Kingma and Welling, Auto-encoding variational Bayes, 2013, equation 9.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, not {latent_dim}.")
        self.parameter_shape = (2 * latent_dim,)

    def forward(self, parameters: Float[Tensor, "*batch P"]) -> Distribution:
        """The posterior, event shape [latent_dim]."""
        mean, log_variance = parameters.chunk(2, dim=-1)
        scale = torch.exp(0.5 * bounded(log_variance))
        return Independent(Normal(mean, scale, validate_args=False), 1, validate_args=False)


class FullGaussian(nn.Module):
    """q(z | x) = N(μ(x), L(x) Lᵀ(x)); the features are μ, the logarithm of L's squared diagonal, and what is below it.

    Args:
        latent_dim: Dimension of z.

    Raises:
        ValueError: A dimension below one.

    References:
        Kingma and Welling, An introduction to variational autoencoders, 2019, section 2.5.1.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, not {latent_dim}.")
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

    Args:
        latent_dim: Dimension of z.
        rank: Columns of U.

    Raises:
        ValueError: A dimension or a rank below one.

    References:
        Rezende, Mohamed and Wierstra, Stochastic backpropagation and approximate inference, 2014, section 4.3.
    """

    def __init__(self, latent_dim: int, rank: int = 2) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, not {latent_dim}.")
        if rank < 1:
            raise ValueError(f"rank must be at least 1, not {rank}.")
        self.latent_dim, self.rank = latent_dim, rank
        self.parameter_shape = ((2 + rank) * latent_dim,)

    def forward(self, parameters: Float[Tensor, "*batch P"]) -> Distribution:
        """The posterior, event shape [latent_dim]."""
        n = self.latent_dim
        mean, log_variance, factor = parameters.split([n, n, n * self.rank], dim=-1)
        return LowRankMultivariateNormal(
            mean, factor.unflatten(-1, (n, self.rank)), torch.exp(bounded(log_variance)), validate_args=False
        )


POSTERIORS: dict[str, Callable[..., nn.Module]] = {
    "diagonal-gaussian": DiagonalGaussian,
    "full-gaussian": FullGaussian,
    "low-rank-gaussian": LowRankGaussian,
}
