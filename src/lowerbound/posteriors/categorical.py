"""Discrete posteriors, exact and relaxed; the features are logits."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.distributions import OneHotGroups, RelaxedOneHotGroups
from lowerbound.priors.checks import check_temperature, groups_of


class Categorical(nn.Module):
    """q(z | x): groups of one-hot vectors. Draws have no gradient, so it needs a score-function objective.

    Args:
        latent_dim: Dimension of z, a multiple of `categories`.
        categories: Of each group; None: all of z is one group.

    Raises:
        ValueError: Fewer than two categories, or no multiple of them.
    """

    space = "one-hot"

    def __init__(self, latent_dim: int, categories: int | None = None) -> None:
        super().__init__()
        self.groups = groups_of(latent_dim, categories)
        self.parameter_shape = (latent_dim,)

    def forward(self, parameters: Float[Tensor, "*batch P"]) -> Distribution:
        """The posterior, event shape [latent_dim]."""
        return OneHotGroups(parameters.unflatten(-1, self.groups))


class RelaxedCategorical(nn.Module):
    """q(z | x): groups of points on the simplex, drawn with the Gumbel-softmax.

    Args:
        latent_dim: Dimension of z, a multiple of `categories`.
        categories: Of each group; None: all of z is one group.
        temperature: Of the relaxation.

    Raises:
        ValueError: Fewer than two categories, no multiple of them, or a temperature that is not positive.

    References:
        Jang, Gu and Poole, Categorical reparameterization with Gumbel-softmax, 2017.
        Maddison, Mnih and Teh, The concrete distribution, 2017.
    """

    space = "simplex"

    def __init__(self, latent_dim: int, categories: int | None = None, temperature: float = 0.5) -> None:
        super().__init__()
        check_temperature(temperature)
        self.groups, self.temperature = groups_of(latent_dim, categories), temperature
        self.parameter_shape = (latent_dim,)

    def forward(self, parameters: Float[Tensor, "*batch P"]) -> Distribution:
        """The posterior, event shape [latent_dim]."""
        return RelaxedOneHotGroups(parameters.unflatten(-1, self.groups), self.temperature)
