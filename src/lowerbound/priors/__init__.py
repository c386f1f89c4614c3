"""Priors: modules whose call returns p(z), batch shape [], event shape [latent_dim].

Each says in `space` where its z lives ("real", "sphere", "one-hot" or "simplex"); a posterior must live there too.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from lowerbound.priors.autoregressive import AutoregressiveCategorical
from lowerbound.priors.ex_post import ExPostMixture
from lowerbound.priors.flow import FlowPrior
from lowerbound.priors.gaussian import GaussianMixture, StandardNormal
from lowerbound.priors.uniform import UniformCategorical, UniformRelaxedCategorical, UniformSphere
from lowerbound.priors.vamp import VampPrior

PRIORS: dict[str, Callable[..., nn.Module]] = {
    "standard-normal": StandardNormal,
    "gaussian-mixture": GaussianMixture,
    "vamp": VampPrior,
    "flow": FlowPrior,
    "uniform-sphere": UniformSphere,
    "uniform-categorical": UniformCategorical,
    "uniform-relaxed-categorical": UniformRelaxedCategorical,
    "autoregressive": AutoregressiveCategorical,
    "ex-post-mixture": ExPostMixture,
}
"""Every prior by its name in the configuration."""

__all__ = [
    "PRIORS",
    "AutoregressiveCategorical",
    "ExPostMixture",
    "FlowPrior",
    "GaussianMixture",
    "StandardNormal",
    "UniformCategorical",
    "UniformRelaxedCategorical",
    "UniformSphere",
    "VampPrior",
]
