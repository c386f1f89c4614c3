"""A posterior on the unit sphere."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import normalize, softplus

from lowerbound.distributions import VonMisesFisher as VonMisesFisherDistribution

# Below, the distribution is uniform for every purpose; above, neighbouring float32 directions differ by whole nats.
CONCENTRATION_BOUNDS = (1e-3, 1e5)
"""Smallest and largest concentration."""


class VonMisesFisher(nn.Module):
    """q(z | x) ∝ exp(κ(x) μ(x)ᵀz) on the unit sphere in R^latent_dim; the features are μ before it is brought to length
    one, and κ before its softplus.

    Args:
        latent_dim: Dimension of the space around the sphere, at least two.

    Raises:
        ValueError: A dimension below two.

    References:
        Davidson et al., Hyperspherical variational auto-encoders, 2018.
    """

    space = "sphere"

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 2:
            raise ValueError(f"A sphere needs latent_dim to be at least 2, not {latent_dim}.")
        self.parameter_shape = (latent_dim + 1,)

    def forward(self, parameters: Float[Tensor, "*batch P"]) -> Distribution:
        """The posterior, event shape [latent_dim]."""
        direction, raw = parameters[..., :-1], parameters[..., -1]
        least, most = CONCENTRATION_BOUNDS
        return VonMisesFisherDistribution(normalize(direction, dim=-1), (least + softplus(raw)).clamp(max=most))
