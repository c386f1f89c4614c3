"""Families and operations that `torch.distributions` lacks."""

from lowerbound.distributions import closed_forms as _closed_forms  # noqa: F401 — registers them
from lowerbound.distributions.autoregressive import AutoregressiveOneHot
from lowerbound.distributions.bernoulli import IndependentBernoulli
from lowerbound.distributions.continuous_bernoulli import ContinuousBernoulli
from lowerbound.distributions.counts import NegativeBinomial, Poisson, ZeroInflated
from lowerbound.distributions.discretized_logistic import DiscretizedLogistic
from lowerbound.distributions.entrywise import entrywise_log_prob
from lowerbound.distributions.flow import Flow
from lowerbound.distributions.gaussian import DiagonalGaussianMixture
from lowerbound.distributions.householder import HouseholderGaussian
from lowerbound.distributions.kl import Estimate, discrete_kl, entrywise_kl, kl, monte_carlo_kl
from lowerbound.distributions.logistic_mixture import DiscretizedLogisticMixture
from lowerbound.distributions.nearest_code import NearestCode
from lowerbound.distributions.one_hot import OneHotGroups, RelaxedOneHotGroups
from lowerbound.distributions.point_mass import PointMass
from lowerbound.distributions.von_mises_fisher import SphereUniform, VonMisesFisher

__all__ = [
    "AutoregressiveOneHot",
    "ContinuousBernoulli",
    "DiagonalGaussianMixture",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "Estimate",
    "Flow",
    "HouseholderGaussian",
    "IndependentBernoulli",
    "NearestCode",
    "NegativeBinomial",
    "OneHotGroups",
    "PointMass",
    "Poisson",
    "RelaxedOneHotGroups",
    "SphereUniform",
    "VonMisesFisher",
    "ZeroInflated",
    "discrete_kl",
    "entrywise_kl",
    "entrywise_log_prob",
    "kl",
    "monte_carlo_kl",
]
