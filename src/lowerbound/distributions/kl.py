"""The Kullback-Leibler divergence.

    KL(q ‖ p) = E_q [log q(z) − log p(z)]

in closed form where one is registered, and otherwise by Monte Carlo at z ~ q: one value for each draw inside a bound
(`kl`), or a mean with its standard error (`monte_carlo_kl`). For probabilities of finitely many states it is a sum
(`discrete_kl`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from lowerbound.distributions.entrywise import entries
from lowerbound.errors import UserError


def kl(q: Distribution, p: Distribution, z: Float[Tensor, "K B *event"]) -> Float[Tensor, "..."]:
    """KL(q ‖ p) in nats.

    Args:
        q: The distribution of z, batch shape [B] or [K, B].
        p: The reference, batch shape [], [B] or [K, B].
        z: Draws from q, used only where no closed form is registered.

    Returns:
        The closed form in the broadcast batch shape of the two, or log q(z) − log p(z), [K, B].
    """
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return q.log_prob(z) - p.log_prob(z)


def entrywise_kl(q: Distribution, p: Distribution) -> Float[Tensor, "..."]:
    """Closed-form KL of each independent entry, in nats, batch shape followed by the entries' shape.

    Raises:
        ValueError: The entries of either are not independent.
        NotImplementedError: No closed form is registered for the pair.
    """
    return kl_divergence(entries(q), entries(p))


class Estimate(NamedTuple):
    """A Monte Carlo estimate."""

    value: Float[Tensor, "*batch"]
    """The mean over the draws, in nats."""
    error: Float[Tensor, "*batch"]
    """Its standard error."""


def monte_carlo_kl(q: Distribution, p: Distribution, samples: int) -> Estimate:
    """KL(q ‖ p) from draws of q, whatever the two are; `monte_carlo_kl(p, q, samples)` is the reverse divergence.

    Args:
        q: The distribution that is drawn from.
        p: The reference, over the same space and with respect to the same measure.
        samples: How many draws, of torch's default generator.

    Raises:
        ValueError: Fewer than two draws, of which there is no standard error.
    """
    if samples < 2:
        raise ValueError(f"samples must be at least 2, not {samples}.")
    batch = torch.broadcast_shapes(q.batch_shape, p.batch_shape)
    z = q.sample(torch.Size((samples, *batch[: len(batch) - len(q.batch_shape)])))
    each = q.log_prob(z) - p.log_prob(z)
    return Estimate(each.mean(0), each.std(0) / math.sqrt(samples))


def discrete_kl(p: Float[Tensor, "*batch S"], q: Float[Tensor, "*batch S"]) -> Float[Tensor, "*batch"]:
    """KL(p ‖ q) = −Σ_s p_s log (q_s / p_s) in nats, of probabilities over the last axis.

    A state with p = 0 adds nothing, whatever q; one with q = 0 < p makes it infinite.

    Args:
        p: Probabilities.
        q: Probabilities over the same states.

    Raises:
        UserError: Something that is not a probability, or does not add up to one.
    """
    for name, probabilities in (("p", p), ("q", q)):
        if not (probabilities >= 0).all():  # NaN is not, either
            raise UserError(f"{name} has entries that are negative or not a number: probabilities lie between 0 and 1.")
        total = probabilities.sum(-1)
        tolerance = probabilities.shape[-1] * 10 * torch.finfo(probabilities.dtype).eps
        if not ((total - 1).abs() <= tolerance).all():
            worst = total.flatten()[(total - 1).abs().argmax()].item()
            raise UserError(f"{name} adds up to {worst:.10g} and not to 1: divide it by its sum.")
    return torch.where(p == 0, 0.0, p * (p / q).log()).sum(-1)
