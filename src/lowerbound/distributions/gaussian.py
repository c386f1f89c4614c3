"""Diagonal Gaussians from a network's features, and the density of a mixture of them.

    log p(z) = log Σ_c π_c exp(a_c + z · (μ_c / σ_c²) − ½ z² · σ_c⁻²)

Written so, a mixture of many components costs two matrix products and no tensor of components times dimensions for
each z. The terms are large where a variance is small, so they are added in float64.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, constraints

# Standard deviations from 5e-5 to 2e4: nothing that a trained model reaches, and nothing that overflows in float32.
LOG_VARIANCE_BOUND = 20.0
"""Largest size of a log-variance."""


def bounded(log_variance: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The log-variance, kept where its exponential and its square are finite; within the bound it is unchanged."""
    return log_variance.clamp(-LOG_VARIANCE_BOUND, LOG_VARIANCE_BOUND)


def diagonal_gaussian(mean: Float[Tensor, "*batch D"], log_variance: Float[Tensor, "*batch D"]) -> Independent:
    """N(mean, diag exp(log_variance)) with the log-variance bounded, event shape [D]."""
    scale = torch.exp(0.5 * bounded(log_variance))
    return Independent(Normal(mean, scale, validate_args=False), 1, validate_args=False)


class DiagonalGaussianMixture(Distribution):
    """Σ_c π_c N(μ_c, diag σ_c²), batch shape [], event shape [D].

    Args:
        logits: Logarithms of the weights, up to a constant.
        loc: Means of the components.
        scale: Their standard deviations.
    """

    def __init__(self, logits: Float[Tensor, "C"], loc: Float[Tensor, "C D"], scale: Float[Tensor, "C D"]) -> None:
        self.logits, self.loc, self.scale = logits, loc, scale
        super().__init__(torch.Size(), loc.shape[-1:], validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Vectors of real numbers."""
        return constraints.real_vector

    def log_prob(self, value: Float[Tensor, "*sample D"]) -> Float[Tensor, "*sample"]:
        """Log density in nats."""
        z, loc, scale = value.double(), self.loc.double(), self.scale.double()
        precision = scale.pow(-2)
        constant = self.logits.double().log_softmax(-1) - (0.5 * loc.square() * precision + scale.log()).sum(-1)
        each = constant + z @ (loc * precision).mT - 0.5 * z.square() @ precision.mT
        return (each.logsumexp(-1) - 0.5 * z.shape[-1] * math.log(2 * math.pi)).to(value.dtype)

    @property
    def mean(self) -> Float[Tensor, "D"]:
        """Σ_c π_c μ_c."""
        return self.logits.softmax(-1) @ self.loc

    @property
    def variance(self) -> Float[Tensor, "D"]:
        """Variance of each entry."""
        return self.logits.softmax(-1) @ (self.scale.square() + (self.loc - self.mean).square())

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample D"]:
        """A draw: a component, then a draw from it."""
        shape = torch.Size(sample_shape)
        with torch.no_grad():
            which = self.logits.softmax(-1).multinomial(shape.numel(), replacement=True)
            return torch.normal(self.loc[which], self.scale[which]).reshape(*shape, -1)
