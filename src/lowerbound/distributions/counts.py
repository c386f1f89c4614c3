"""Counts: Poisson, negative binomial, and either with more zeros.

The negative binomial is given by its mean and its inverse dispersion r:

    p(x) = Γ(r + x) / (Γ(r) x!) (r / (r + m))^r (m / (r + m))^x,   variance m + m² / r

Its terms nearly cancel where counts or r are large, so that they are added in float64.

References:
    Lopez et al., Deep generative modeling for single-cell transcriptomics, 2018 (scVI).
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, constraints
from torch.distributions import Poisson as TorchPoisson
from torch.nn.functional import logsigmoid, softplus


class Poisson(Distribution):
    """Poisson distribution.

    Args:
        log_rate: Logarithm of the rate.
    """

    def __init__(self, log_rate: Float[Tensor, "*batch"]) -> None:
        self.log_rate = log_rate
        super().__init__(log_rate.shape, validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """0, 1, 2, …"""
        return constraints.nonnegative_integer

    def expand(self, batch_shape: Any, _instance: Any = None) -> Poisson:
        """The same distribution with its batch expanded."""
        return Poisson(self.log_rate.expand(batch_shape))

    @property
    def mean(self) -> Float[Tensor, "*batch"]:
        """The rate."""
        return self.log_rate.exp()

    def log_prob(self, value: Float[Tensor, "*sample"]) -> Float[Tensor, "*sample"]:
        """Log-probability in nats."""
        log_rate, x = self.log_rate.double(), value.double()
        return (x * log_rate - log_rate.exp() - torch.lgamma(x + 1)).to(value.dtype)

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample"]:
        """A draw."""
        with torch.no_grad():
            return TorchPoisson(self.mean, validate_args=False).sample(torch.Size(sample_shape))


class NegativeBinomial(Distribution):
    """Negative binomial distribution.

    Args:
        log_mean: Logarithm of the mean m.
        log_inverse_dispersion: Logarithm of r; as it grows, the distribution becomes Poisson's.
    """

    def __init__(self, log_mean: Float[Tensor, "*batch"], log_inverse_dispersion: Float[Tensor, "*batch"]) -> None:
        self.log_mean, self.log_inverse_dispersion = torch.broadcast_tensors(log_mean, log_inverse_dispersion)
        super().__init__(self.log_mean.shape, validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """0, 1, 2, …"""
        return constraints.nonnegative_integer

    def expand(self, batch_shape: Any, _instance: Any = None) -> NegativeBinomial:
        """The same distribution with its batch expanded."""
        return NegativeBinomial(self.log_mean.expand(batch_shape), self.log_inverse_dispersion.expand(batch_shape))

    @property
    def mean(self) -> Float[Tensor, "*batch"]:
        """m."""
        return self.log_mean.exp()

    @property
    def variance(self) -> Float[Tensor, "*batch"]:
        """m + m² / r."""
        return self.mean + (2 * self.log_mean - self.log_inverse_dispersion).exp()

    def log_prob(self, value: Float[Tensor, "*sample"]) -> Float[Tensor, "*sample"]:
        """Log-probability in nats."""
        log_mean, log_r, x = self.log_mean.double(), self.log_inverse_dispersion.double(), value.double()
        r, odds = log_r.exp(), log_mean - log_r
        counts = torch.lgamma(r + x) - torch.lgamma(r) - torch.lgamma(x + 1)
        return (counts - r * softplus(odds) - x * softplus(-odds)).to(value.dtype)

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample"]:
        """A draw: Poisson with a rate that is gamma distributed."""
        with torch.no_grad():
            r = self.log_inverse_dispersion.exp()
            return torch.poisson(torch.distributions.Gamma(r, r / self.mean).sample(torch.Size(sample_shape)))


class ZeroInflated(Distribution):
    """With probability σ(logits) zero, otherwise a count.

    Args:
        counts: Distribution of the counts.
        logits: Of a zero that is none of the counts', in the batch shape of `counts`.
    """

    def __init__(self, counts: Distribution, logits: Float[Tensor, "*batch"]) -> None:
        self.counts, self.logits = counts, logits
        super().__init__(counts.batch_shape, validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """0, 1, 2, …"""
        return constraints.nonnegative_integer

    def expand(self, batch_shape: Any, _instance: Any = None) -> ZeroInflated:
        """The same distribution with its batch expanded."""
        return ZeroInflated(self.counts.expand(batch_shape), self.logits.expand(batch_shape))

    @property
    def mean(self) -> Float[Tensor, "*batch"]:
        """(1 − σ(logits)) E[count]."""
        return torch.sigmoid(-self.logits) * self.counts.mean

    def log_prob(self, value: Float[Tensor, "*sample"]) -> Float[Tensor, "*sample"]:
        """Log-probability in nats."""
        counted = logsigmoid(-self.logits) + self.counts.log_prob(value)
        return torch.where(value == 0, torch.logaddexp(logsigmoid(self.logits), counted), counted)

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample"]:
        """A draw."""
        shape = torch.Size(sample_shape)
        with torch.no_grad():
            kept = Bernoulli(logits=-self.logits, validate_args=False).sample(shape)
            return kept * self.counts.sample(shape)
