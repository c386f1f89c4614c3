"""Distributions over independent entries, entry by entry."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent


def entries(distribution: Distribution) -> Distribution:
    """The distribution of the single entries, whose batch shape ends in the entries' shape.

    Raises:
        ValueError: The entries are not independent.
    """
    if not isinstance(distribution, Independent):
        raise ValueError(f"The entries of a {type(distribution).__name__} are not independent of one another.")
    return distribution.base_dist


def entrywise_log_prob(
    distribution: Distribution, value: Float[Tensor, "*batch *event"]
) -> Float[Tensor, "*batch *entries"]:
    """Log density of each entry, in nats; summed over the entries it is `distribution.log_prob(value)`.

    Raises:
        ValueError: The entries are not independent.
    """
    return entries(distribution).log_prob(value)
