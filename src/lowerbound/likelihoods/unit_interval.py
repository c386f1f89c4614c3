"""Likelihoods of entries that are 0 or 1, and of entries between."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Distribution

from lowerbound.distributions import ContinuousBernoulli as ContinuousBernoulliDistribution
from lowerbound.distributions import IndependentBernoulli
from lowerbound.likelihoods.likelihood import Likelihood


class Bernoulli(Likelihood):
    """Binary entries; the parameter is the logit."""

    preparation = "binarise"

    def forward(self, parameters: Float[Tensor, "*batch 1 *event"]) -> Distribution:
        """p(x | z), whose log-probability is summed without temporaries."""
        dims = len(self.event_shape)
        return IndependentBernoulli(parameters.squeeze(-1 - dims), dims)

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Bernoulli with the given logits."""
        return TorchBernoulli(logits=parameters[0], validate_args=False)

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "1 *event"]:
        """The logit of the mean, clipped as in Burda et al. 2015."""
        return mean.clamp(0.001, 0.999).logit().unsqueeze(0)


class ContinuousBernoulli(Likelihood):
    """Entries in [0, 1] (Loaiza-Ganem and Cunningham, 2019); the parameter is the logit."""

    preparation = "rescale"
    continuous = True

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Continuous Bernoulli with the given logits."""
        return ContinuousBernoulliDistribution(parameters[0], validate_args=False)

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "1 *event"]:
        """The logit whose distribution has this mean, by bisection: the mean has no closed inverse."""
        low, high = torch.full_like(mean, -200.0), torch.full_like(mean, 200.0)
        for _ in range(40):
            middle = (low + high) / 2
            below = ContinuousBernoulliDistribution(middle).mean < mean
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return low.clamp(-20, 20).unsqueeze(0)
