"""The discretized logistic: a probability mass over the levels of an integer scale.

    P(x = k Δ) = σ((k Δ + Δ/2 − μ) / s) − σ((k Δ − Δ/2 − μ) / s),   Δ = 1 / (levels − 1),   k = 0 … levels − 1

with the outermost levels taking the tails.

References:
    Kingma et al., Improving variational inference with inverse autoregressive flow, 2016, section C.4.
    Salimans et al., PixelCNN++, 2017, section 2.1.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import logsigmoid


class DiscretizedLogistic(Distribution):
    """Logistic distribution rounded to `levels` equally spaced values in [0, 1].

    Args:
        loc: Location μ, in [0, 1] where the data is; any shape.
        log_scale: Logarithm of the scale s, broadcast with `loc`.
        levels: How many values there are: 256 for 8-bit pixels.
        validate_args: As in torch.

    Raises:
        ValueError: Fewer than two levels.
    """

    def __init__(
        self,
        loc: Float[Tensor, "*batch"],
        log_scale: Float[Tensor, "*batch"],
        levels: int = 256,
        validate_args: bool | None = None,
    ) -> None:
        if levels < 2:
            raise ValueError(f"A discretized logistic needs at least 2 levels, not {levels}.")
        self.loc, self.log_scale = torch.broadcast_tensors(loc, log_scale)
        self.levels = levels
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """Both parameters are real."""
        return {"loc": constraints.real, "log_scale": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        """Levels in the unit interval."""
        return constraints.unit_interval

    def expand(self, batch_shape: Any, _instance: Any = None) -> DiscretizedLogistic:
        """The same distribution with its batch expanded."""
        return DiscretizedLogistic(
            self.loc.expand(batch_shape), self.log_scale.expand(batch_shape), self.levels, validate_args=False
        )

    def log_prob(self, value: Float[Tensor, "*sample"]) -> Float[Tensor, "*sample"]:
        """Log mass in nats at values k / (levels − 1)."""
        half = 0.5 / (self.levels - 1)
        precision = torch.exp(-self.log_scale)
        centred = value - self.loc
        upper, lower = (centred + half) * precision, (centred - half) * precision
        # σ(a) − σ(b) = σ(a) σ(−b) (1 − e^{b−a}): no difference of nearly equal numbers, whatever the scale.
        inner = logsigmoid(upper) + logsigmoid(-lower) + torch.log(-torch.expm1(-2 * half * precision))
        return torch.where(value < half, logsigmoid(upper), torch.where(value > 1 - half, logsigmoid(-lower), inner))

    @property
    def mean(self) -> Float[Tensor, "*batch"]:
        """E[x] = Δ Σ_k P(x ≥ k Δ), exact."""
        step = 1 / (self.levels - 1)
        precision = torch.exp(-self.log_scale)
        total = torch.zeros_like(self.loc)
        for level in range(1, self.levels):
            total = total + torch.sigmoid((self.loc - (level - 0.5) * step) * precision)
        return total * step

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample"]:
        """A draw: a logistic variable rounded to the nearest level."""
        with torch.no_grad():
            shape = self._extended_shape(torch.Size(sample_shape))
            tiny = torch.finfo(self.loc.dtype).tiny
            u = torch.rand(shape, dtype=self.loc.dtype, device=self.loc.device).clamp(min=tiny, max=1 - 1e-7)
            x = self.loc + torch.exp(self.log_scale) * torch.logit(u)
            return torch.round(x.clamp(0, 1) * (self.levels - 1)) / (self.levels - 1)
