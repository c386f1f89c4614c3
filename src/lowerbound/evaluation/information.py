"""What the codes say about the data, and how far all of them together are from the prior.

    E_x KL(q(z | x) ‖ p(z))  =  I_q(x; z)  +  KL(q(z) ‖ p(z)),     q(z) = (1/N) Σ_n q(z | x_n)
            rate              mutual information   marginal KL

References:
    Hoffman and Johnson, ELBO surgery: yet another way to carve up the variational evidence lower bound, 2016.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from lowerbound.distributions import DiagonalGaussianMixture
from lowerbound.evaluation.batches import fixed
from lowerbound.models import LatentModel
from lowerbound.objectives.objective import only_latent

# Pairs of a draw and a posterior whose densities are computed together.
_PAIRS = 2**20


class Information(NamedTuple):
    """In nats, over the N data as they are; each standard error is that of the mean over them."""

    mutual_information: float
    """I_q(x; z), at most log N: of more than that a finite set of data cannot tell."""
    mutual_information_error: float
    marginal_kl: float
    """KL(q(z) ‖ p(z)) of the aggregate posterior."""
    marginal_kl_error: float


def information(model: LatentModel, x: Float[Tensor, "N *event"], *, draws: int = 10, seed: int = 0) -> Information:
    """Part the rate into what the code says of the datum, and what the prior does not know of the codes.

    Args:
        model: In any mode; its mode and the caller's random numbers are left as they were.
        x: The data, as the model sees it, on the model's device: thousands, for the first part is at most log N.
        draws: Of z for each datum.
        seed: Of the draws.

    Raises:
        ValueError: Fewer than two data, no draws, or several groups of latent variables.
    """
    if len(x) < 2 or draws < 1:
        raise ValueError(f"At least 2 data and 1 draw are needed, not {len(x)} and {draws}.")
    with fixed(model, x.device, seed), torch.inference_mode():
        latent = only_latent(model.trace(x, draws, pathwise=False), "The mutual information")
        log_q, log_p = latent.log_posterior().double(), latent.log_prior().double()
        log_aggregate = _log_aggregate(latent.posterior, latent.z)
    about, against = (log_q - log_aggregate).mean(0), (log_aggregate - log_p).mean(0)
    return Information(*(figure for each in (about, against) for figure in _mean(each)))


def _log_aggregate(q: Distribution, z: Float[Tensor, "K N D"]) -> Float[Tensor, "K N"]:
    """log q(z), a few draws at a time."""
    count = z.shape[1]
    base = q.base_dist if isinstance(q, Independent) else None
    weights = torch.zeros(count, device=z.device)
    pieces = []
    for some in z.flatten(0, 1).split(max(1, _PAIRS // count)):
        if isinstance(base, Normal):
            pieces.append(DiagonalGaussianMixture(weights, base.loc, base.scale).log_prob(some))
        else:
            pieces.append(q.log_prob(some.unsqueeze(1)).logsumexp(1) - math.log(count))
    return torch.cat(pieces).double().reshape(z.shape[:2])


def _mean(each: Float[Tensor, "N"]) -> tuple[float, float]:
    return each.mean().item(), (each.std() / math.sqrt(len(each))).item()
