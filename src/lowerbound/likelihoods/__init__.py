"""Likelihoods: heads that turn a network's features into p(x | z)."""

from __future__ import annotations

from collections.abc import Callable

from lowerbound.likelihoods.counts import NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial
from lowerbound.likelihoods.levels import Categorical, DiscretizedLogistic, DiscretizedLogisticMixture
from lowerbound.likelihoods.likelihood import Likelihood
from lowerbound.likelihoods.real import Gaussian, Laplace, StudentT
from lowerbound.likelihoods.unit_interval import Bernoulli, ContinuousBernoulli

LIKELIHOODS: dict[str, Callable[..., Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous-bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
    "laplace": Laplace,
    "student-t": StudentT,
    "discretized-logistic": DiscretizedLogistic,
    "discretized-logistic-mixture": DiscretizedLogisticMixture,
    "categorical": Categorical,
    "poisson": Poisson,
    "negative-binomial": NegativeBinomial,
    "zero-inflated-negative-binomial": ZeroInflatedNegativeBinomial,
}
"""Every likelihood by its name in the configuration."""

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "Gaussian",
    "Laplace",
    "Likelihood",
    "NegativeBinomial",
    "Poisson",
    "StudentT",
    "ZeroInflatedNegativeBinomial",
]
