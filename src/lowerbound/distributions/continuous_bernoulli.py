"""The continuous Bernoulli: a density on [0, 1] for pixels that are intensities, not coin tosses.

    p(x | l) = C(l) exp(x l − softplus(l)),   C(l) = l / tanh(l / 2),   l = logit of λ

torch's own family clamps λ and loses its normalisation at large logits; written in the logit, nothing needs a clamp.

References:
    Loaiza-Ganem and Cunningham, The continuous Bernoulli: fixing a pervasive error in variational autoencoders, 2019.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import softplus

# Below this |logit| the closed forms divide two small numbers; their Taylor series are exact to float32 there.
_SMALL = 0.1


class ContinuousBernoulli(Distribution):
    """Continuous Bernoulli with the given logits.

    Args:
        logits: Logit of the shape parameter λ, any shape; the batch shape.
        validate_args: As in torch.
    """

    has_rsample = True

    def __init__(self, logits: Float[Tensor, "*batch"], validate_args: bool | None = None) -> None:
        self.logits = logits
        super().__init__(logits.shape, validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The logits are real."""
        return {"logits": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        """The unit interval."""
        return constraints.unit_interval

    def expand(self, batch_shape: Any, _instance: Any = None) -> ContinuousBernoulli:
        """The same distribution with its batch expanded."""
        return ContinuousBernoulli(self.logits.expand(batch_shape), validate_args=False)

    def _away_from_zero(self) -> tuple[Tensor, Tensor]:
        """Where the logit is small, and the logit with 1 put there: both branches of `where` need finite gradients."""
        small = self.logits.abs() < _SMALL
        return small, torch.where(small, torch.ones_like(self.logits), self.logits)

    def log_normalizer(self) -> Float[Tensor, "*batch"]:
        """log C(l), in nats."""
        small, logits = self._away_from_zero()
        squared = self.logits.square()
        series = torch.log1p(squared / 12 - squared.square() / 720) + torch.log(torch.tensor(2.0)).to(squared)
        size = logits.abs()
        # log tanh(s / 2) = log(1 − e^{−s}) − log(1 + e^{−s})
        exact = size.log() - torch.log1p(-torch.exp(-size)) + torch.log1p(torch.exp(-size))
        return torch.where(small, series, exact)

    def log_prob(self, value: Float[Tensor, "*sample"]) -> Float[Tensor, "*sample"]:
        """Log density in nats at values in [0, 1]."""
        return value * self.logits - softplus(self.logits) + self.log_normalizer()

    @property
    def mean(self) -> Float[Tensor, "*batch"]:
        """E[x] = σ(l) / tanh(l / 2) − 1 / l."""
        small, logits = self._away_from_zero()
        series = 0.5 + self.logits / 12 - self.logits**3 / 720
        return torch.where(small, series, torch.sigmoid(logits) / torch.tanh(logits / 2) - 1 / logits)

    def rsample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample"]:
        """A reparameterized draw, through the inverse CDF."""
        shape = self._extended_shape(torch.Size(sample_shape))
        u = torch.rand(shape, dtype=self.logits.dtype, device=self.logits.device)
        small, logits = self._away_from_zero()
        size = logits.abs()
        # For a negative logit, x = log(1 + u (e^l − 1)) / l; a positive one is its mirror image.
        low = -torch.log1p(u * torch.expm1(-size)) / size
        series = u + u * (1 - u) * (1 - 2 * u) * self.logits**2 / 12 + self.logits * u * (1 - u) / 2
        return torch.where(small, series, torch.where(logits < 0, low, 1 - low))
