"""Likelihoods of counts 0, 1, 2, …"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import NegativeBinomial as NegativeBinomialDistribution
from lowerbound.distributions import Poisson as PoissonDistribution
from lowerbound.distributions import ZeroInflated
from lowerbound.likelihoods.likelihood import Likelihood

# Means and inverse dispersions from 2e-9 to 5e8.
_BOUND = 20.0


def _log_mean(mean: Tensor) -> Tensor:
    """The logarithm of a mean, of one count in a thousand where there was none."""
    return mean.clamp(min=0.001).log()


class Poisson(Likelihood):
    """Counts whose variance is their mean; the parameter is the logarithm of the rate."""

    preparation = "identity"

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Poisson with the given log-rate."""
        return PoissonDistribution(parameters[0].clamp(-_BOUND, _BOUND))

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "1 *event"]:
        """The logarithm of the mean."""
        return _log_mean(mean).unsqueeze(0)


class NegativeBinomial(Likelihood):
    """Counts that vary more than Poisson's; the parameters are the logarithms of mean and inverse dispersion."""

    preparation = "identity"
    parameters_per_entry = 2

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Negative binomial with the given logarithms of mean and inverse dispersion."""
        return NegativeBinomialDistribution(*(p.clamp(-_BOUND, _BOUND) for p in parameters[:2]))

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "P *event"]:
        """The logarithm of the mean, and an inverse dispersion of one."""
        return torch.stack([_log_mean(mean), torch.zeros_like(mean)])


class ZeroInflatedNegativeBinomial(NegativeBinomial):
    """Counts with zeros of two kinds, such as reads of a gene; a third parameter is the logit of the zeros by chance.

    References:
        Lopez et al., Deep generative modeling for single-cell transcriptomics, 2018.
    """

    parameters_per_entry = 3

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Zero-inflated negative binomial."""
        return ZeroInflated(super().entries(*parameters), parameters[2])

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "3 *event"]:
        """One in ten zero by chance, and counts that make up for it."""
        counted = super().initial_parameters(mean / 0.9)
        return torch.cat([counted, torch.full_like(mean, 0.1).logit().unsqueeze(0)])
