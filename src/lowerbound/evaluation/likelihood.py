"""The bound and the likelihood of data under a trained model.

    −ELBO = distortion + rate = E_q[−log p(x | z)] + KL(q(z | x) ‖ p(z))
    log p̂(x) = log (1/K) Σ_k w_k,   w_k = p(x, z_k) / q(z_k | x),   z_k ~ q(z | x)

The second is in expectation a lower bound on log p(x) that tightens as K grows.

References:
    Burda, Grosse and Salakhutdinov, Importance weighted autoencoders, 2015, equation 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lowerbound.evaluation.batches import Data, Precision, for_each_batch
from lowerbound.models import LatentModel, Trace


class BoundEstimate(NamedTuple):
    """The lower bound of each datum, in nats: −ELBO = distortion + rate."""

    distortion: Float[Tensor, "N"]
    """−log p(x | z), averaged over the draws of z."""
    rate: Float[Tensor, "N"]
    """KL(q(z | x) ‖ p(z)): closed form where there is one, else averaged over the same draws."""


class ImportanceEstimate(NamedTuple):
    """The importance-sampled likelihood of each datum."""

    log_likelihood: Float[Tensor, "N"]
    """log p̂(x) in nats."""
    effective_sample_size: Float[Tensor, "N"]
    """(Σ w)² / Σ w², between 1 and K: how many of the K draws carry the estimate."""


def bound(
    model: LatentModel,
    x: Float[Tensor, "N *event"],
    *,
    passes: int = 1,
    seed: int = 0,
    context: Float[Tensor, "N C"] | None = None,
    mask: Bool[Tensor, "N *event"] | None = None,
) -> BoundEstimate:
    """The lower bound of each datum.

    Args:
        model: In any mode; its mode and the caller's random numbers are left as they were.
        x: The data, as the model sees it, on the model's device.
        passes: Independent draws of z to average over.
        seed: Of the draws.
        context: A covariate of each datum.
        mask: True where x was observed.

    Returns:
        Distortion and rate, in float64.

    Raises:
        ValueError: No data, or fewer than one pass.
    """

    def distortion_and_rate(_: Data, traces: Iterator[Trace]) -> Float[Tensor, "B 2"]:
        draws = torch.cat([torch.stack([-trace.log_likelihood(), trace.kl()], -1) for trace in traces])
        return draws.double().mean(0)

    return BoundEstimate(
        *for_each_batch(model, Data(x, context, mask), passes, distortion_and_rate, seed=seed).unbind(-1)
    )


def importance_sampling(
    model: LatentModel,
    x: Float[Tensor, "N *event"],
    particles: int = 1000,
    *,
    seed: int = 0,
    context: Float[Tensor, "N C"] | None = None,
    mask: Bool[Tensor, "N *event"] | None = None,
    precision: Precision = "float32",
    on_progress: Callable[[float], None] | None = None,
) -> ImportanceEstimate:
    """Estimate log p(x) of each datum with the encoder as proposal (Burda et al. 2015, equation 8).

    The negative log-likelihood of the data is `-estimate.log_likelihood.mean()`. Memory is bounded, whatever the
    numbers of data and of particles.

    Args:
        model: In any mode; its mode and the caller's random numbers are left as they were.
        x: The data, as the model sees it, on the model's device.
        particles: Draws of z for each datum, K.
        seed: Of the draws.
        context: A covariate of each datum.
        mask: True where x was observed.
        precision: "bfloat16" lets the networks compute in it, which is faster where the processor multiplies such
            matrices itself, and changes p(x | z) by the rounding. Densities and weights stay in float32.
        on_progress: Called now and then with the share that is done, 0 … 1.

    Returns:
        Log-likelihood and effective sample size, in float64.

    Raises:
        ValueError: No data, fewer than one particle, or an unknown precision.
    """

    def evidence(_: Data, traces: Iterator[Trace]) -> Float[Tensor, "B 2"]:
        log_w = torch.cat([trace.log_weight() for trace in traces]).double()
        total = log_w.logsumexp(0)
        effective = torch.exp(2 * total - torch.logsumexp(2 * log_w, 0))
        return torch.stack([total - math.log(particles), effective], -1)

    data = Data(x, context, mask)
    estimate = for_each_batch(model, data, particles, evidence, seed=seed, precision=precision, on_progress=on_progress)
    return ImportanceEstimate(*estimate.unbind(-1))
