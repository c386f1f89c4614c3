"""A posterior without a spread: the encoder of an autoencoder."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.distributions import PointMass
from lowerbound.priors.checks import check_at_least_one


class Deterministic(nn.Module):
    """q(z | x) is a point mass at the features. There is no bound with it, and no likelihood.

    Args:
        latent_dim: Dimension of z.

    Raises:
        ValueError: A dimension below one.

    References:
        Ghosh et al., From variational to deterministic autoencoders, 2020, section 3.
    """

    space = "real"
    spreads = False

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        check_at_least_one(latent_dim=latent_dim)
        self.parameter_shape = (latent_dim,)

    def forward(self, parameters: Float[Tensor, "*batch P"]) -> Distribution:
        """The posterior, event shape [latent_dim]."""
        return PointMass(parameters)
