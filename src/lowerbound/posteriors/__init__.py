"""Posteriors: heads that turn a network's features into q(z | x).

Each says in `space` where its z lives ("real", "sphere", "one-hot" or "simplex"); the prior must live there too.
One that is a single point says so, `spreads = False`.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from lowerbound.errors import UserError
from lowerbound.posteriors.categorical import Categorical, RelaxedCategorical
from lowerbound.posteriors.deterministic import Deterministic
from lowerbound.posteriors.flow import FlowPosterior
from lowerbound.posteriors.gaussian import DiagonalGaussian, FullGaussian, Householder, LowRankGaussian
from lowerbound.posteriors.quantized import Codebook, VectorQuantized
from lowerbound.posteriors.sphere import VonMisesFisher

POSTERIORS: dict[str, Callable[..., nn.Module]] = {
    "diagonal-gaussian": DiagonalGaussian,
    "full-gaussian": FullGaussian,
    "low-rank-gaussian": LowRankGaussian,
    "householder": Householder,
    "flow": FlowPosterior,
    "von-mises-fisher": VonMisesFisher,
    "categorical": Categorical,
    "relaxed-categorical": RelaxedCategorical,
    "vector-quantized": VectorQuantized,
    "deterministic": Deterministic,
}
"""Every posterior by its name in the configuration."""

_PLACES = {
    "real": "all real vectors",
    "sphere": "the unit sphere",
    "one-hot": "one-hot vectors",
    "simplex": "the simplex",
}


def check_same_space(posterior: nn.Module, prior: nn.Module) -> None:
    """Refuse a posterior and a prior over different spaces, between which there is no KL divergence.

    Where z is choices, it must divide into groups in the same way too. Parts that do not say where they live are let
    pass.

    Args:
        posterior: The head.
        prior: The prior.

    Raises:
        UserError: They differ.
    """
    ours, theirs = getattr(posterior, "space", None), getattr(prior, "space", None)
    if ours and theirs and ours != theirs:
        raise UserError(
            f"A {type(posterior).__name__} posterior lives on {_PLACES[ours]} and a {type(prior).__name__} prior on "
            f"{_PLACES[theirs]}: choose model.posterior and model.prior over the same space."
        )
    ours, theirs = getattr(posterior, "groups", None), getattr(prior, "groups", None)
    if ours and theirs and ours != theirs:
        raise UserError(
            f"The posterior makes {ours[0]} choices of {ours[1]} categories, and the prior {theirs[0]} of {theirs[1]}: "
            "set model.posterior.categories and model.prior.categories to the same number."
        )


__all__ = [
    "POSTERIORS",
    "Categorical",
    "Codebook",
    "Deterministic",
    "DiagonalGaussian",
    "FlowPosterior",
    "FullGaussian",
    "Householder",
    "LowRankGaussian",
    "RelaxedCategorical",
    "VectorQuantized",
    "VonMisesFisher",
    "check_same_space",
]
