"""The posterior of a whole trajectory, as a distribution that can be drawn from and evaluated anywhere.

q(z | x) = Π_t N(z_t; μ_t(x, z_<t), diag σ_t²(x, z_<t))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints

if TYPE_CHECKING:
    from lowerbound.models.draw.model import DRAW


class TrajectoryPosterior(Distribution):
    """q(z | x) of all steps, batch shape [B], event shape [T·Z].

    Each density runs the model along the z that it is asked about. The model's trace has the densities at its own
    draws for nothing, and no others.

    Args:
        model: The model.
        x: The data.
        context: A covariate of each datum.
    """

    has_rsample = True

    def __init__(self, model: DRAW, x: Float[Tensor, "B *event"], context: Float[Tensor, "B C"] | None = None) -> None:
        self.model, self.x, self.context = model, x, context
        super().__init__(torch.Size((len(x),)), torch.Size((model.code_size,)), validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Vectors of real numbers."""
        return constraints.real_vector

    @property
    def mean(self) -> Float[Tensor, "B D"]:
        """The mean of each step where the steps before it took theirs: the code of the datum."""
        return self.model.embed(self.x, context=self.context)

    def rsample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample B D"]:
        """Reparameterized draws."""
        shape = torch.Size(sample_shape)
        z = self.model.trace(self.x, shape.numel(), context=self.context).latents[0].z
        return z.reshape(*shape, *z.shape[1:])

    def log_prob(self, value: Float[Tensor, "*sample B D"]) -> Float[Tensor, "*sample B"]:
        """Log density in nats."""
        flat = value.reshape(-1, *value.shape[-2:])
        return self.model.log_posterior(self.x, flat, context=self.context).reshape(value.shape[:-1])
