"""A point that is certain: what a deterministic encoder says of z."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints

from lowerbound.errors import UserError


class PointMass(Distribution):
    """All of the probability at one point of R^D, event shape [D].

    It has no density with respect to volume. Its KL divergence to anything that has one is infinite, so that there is
    neither a bound nor an importance weight: whatever asks for them is refused in words.

    Args:
        loc: The point.
    """

    has_rsample = True

    def __init__(self, loc: Float[Tensor, "*batch D"]) -> None:
        self.loc = loc
        super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Vectors of real numbers."""
        return constraints.real_vector

    @property
    def mean(self) -> Float[Tensor, "*batch D"]:
        """The point."""
        return self.loc

    @property
    def variance(self) -> Float[Tensor, "*batch D"]:
        """Zero."""
        return torch.zeros_like(self.loc)

    def rsample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample D"]:
        """The point, as often as it is asked for."""
        return self.loc.expand(torch.Size(sample_shape) + self.loc.shape)

    def log_prob(self, value: Float[Tensor, "*sample D"]) -> NoReturn:
        """There is no density.

        Raises:
            UserError: Always.
        """
        raise UserError(
            "A deterministic posterior is a point without a density, so that there is neither a bound nor a likelihood "
            "(the objectives rae-l2 and rae-gp need none): choose another model.posterior to have one."
        )
