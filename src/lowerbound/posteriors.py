"""Posteriors: heads that turn a network's features into q(z | x)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

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


POSTERIORS: dict[str, Callable[..., nn.Module]] = {"diagonal-gaussian": DiagonalGaussian}
