"""A mixture of discretized logistics: each entry's levels, with several modes and sharp edges.

    P(x) = Σ_m π_m P_m(x),   P_m a discretized logistic

The entries of a datum, colour channels too, are independent of one another given the parameters (PixelCNN++ makes a
channel's mean depend on the channels before it, and shares the component among them; this one does not).

References:
    Salimans et al., PixelCNN++, 2017, section 2.1.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints

from lowerbound.distributions.discretized_logistic import DiscretizedLogistic


class DiscretizedLogisticMixture(Distribution):
    """Mixture of logistics rounded to `levels` equally spaced values in [0, 1]; the components are the first axis.

    Args:
        logits: Of the components, up to a constant.
        loc: Locations.
        log_scale: Logarithms of the scales.
        levels: How many values there are.

    Raises:
        ValueError: Fewer than two levels.
    """

    def __init__(
        self,
        logits: Float[Tensor, "M *batch"],
        loc: Float[Tensor, "M *batch"],
        log_scale: Float[Tensor, "M *batch"],
        levels: int = 256,
    ) -> None:
        self.log_weights = logits.log_softmax(0)
        self.components = DiscretizedLogistic(loc, log_scale, levels, validate_args=False)
        super().__init__(loc.shape[1:], validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Levels in the unit interval."""
        return constraints.unit_interval

    def expand(self, batch_shape: Any, _instance: Any = None) -> DiscretizedLogisticMixture:
        """The same distribution with its batch expanded."""
        shape = (len(self.log_weights), *batch_shape)
        parts = (self.log_weights, self.components.loc, self.components.log_scale)
        extra = len(shape) - self.log_weights.ndim
        logits, loc, log_scale = (part[(slice(None), *[None] * extra)].expand(shape) for part in parts)
        return DiscretizedLogisticMixture(logits, loc, log_scale, self.components.levels)

    def log_prob(self, value: Float[Tensor, "*sample"]) -> Float[Tensor, "*sample"]:
        """Log mass in nats at values k / (levels − 1)."""
        extra = max(0, value.ndim - len(self.batch_shape))
        wide = self.expand(torch.broadcast_shapes(value.shape, self.batch_shape)) if extra else self
        return (wide.log_weights + wide.components.log_prob(value)).logsumexp(0)

    @property
    def mean(self) -> Float[Tensor, "*batch"]:
        """E[x], exact."""
        return (self.log_weights.exp() * self.components.mean).sum(0)

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample"]:
        """A draw: a component for each entry, then a level of it."""
        with torch.no_grad():
            wide = self.expand(self._extended_shape(torch.Size(sample_shape)))
            noise = torch.empty_like(wide.log_weights, memory_format=torch.contiguous_format).exponential_()
            which = (wide.log_weights - noise.log()).argmax(0, keepdim=True)
            loc, log_scale = (part.gather(0, which)[0] for part in (wide.components.loc, wide.components.log_scale))
            return DiscretizedLogistic(loc, log_scale, self.components.levels, validate_args=False).sample()
