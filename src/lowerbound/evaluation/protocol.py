"""A whole evaluation: every figure, computed in the way that its protocol says."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from jaxtyping import Bool, Float
from torch import Tensor

from lowerbound.errors import UserError
from lowerbound.evaluation.batches import Data, Precision, has_bound
from lowerbound.evaluation.diagnostics import diagnostics
from lowerbound.evaluation.distortion import DistortionAlone, distortion_alone
from lowerbound.evaluation.likelihood import ImportanceEstimate, bound, importance_sampling
from lowerbound.evaluation.result import Evaluation
from lowerbound.models import LatentModel

# Nats by which results in the literature differ.
_EXCESS = 0.1
# Data whose likelihood is computed in float32 too, to see what bfloat16 changes.
_COMPARED = 100


def evaluate(
    model: LatentModel,
    x: Float[Tensor, "N *event"],
    particles: int = 1000,
    *,
    examples: int | None = None,
    seed: int = 0,
    log_volume: float = 0.0,
    dimensions: int | None = None,
    training_bound: float | None = None,
    data: str = "",
    context: Float[Tensor, "N C"] | None = None,
    mask: Bool[Tensor, "N *event"] | None = None,
    precision: Precision = "float32",
    on_progress: Callable[[float], None] | None = None,
) -> Evaluation | DistortionAlone:
    """Compute every figure of a model on some data; of one with a deterministic encoder, the distortion alone.

    Args:
        model: In any mode; its mode and the caller's random numbers are left as they were.
        x: The data, as the model sees it, on the model's device.
        particles: Importance samples for each datum, K.
        examples: How many data to importance-sample, the first ones; None: all.
        seed: Of every draw.
        log_volume: Nats to add to log p(x) for a density in the data's own units (`Preparation.log_volume`).
        dimensions: Entries of a datum, where the NLL shall be given in bits for each of them too.
        training_bound: −ELBO of the training data as the objective reports it, so without `log_volume`; much below
            that of x, the model has learned the training data by heart.
        data: What x is, for the protocol: "the 10,000 test images, binarised once with seed 0".
        context: A covariate of each datum.
        mask: True where x was observed.
        precision: What the networks compute in for the importance sampling; the protocol then says by how much the
            rounding to bfloat16 changed the NLL of the first hundred examples. All else is in float32.
        on_progress: Called now and then with the share of the importance sampling that is done, 0 … 1.

    Raises:
        UserError: Fewer than two examples, or data or a likelihood that is not finite, with the row.
        ValueError: Fewer than one particle, or an unknown precision.
    """
    began = time.perf_counter()
    if len(x) < 2:
        raise UserError(f"An evaluation has standard errors and needs at least 2 examples, there are {len(x)}.")
    if examples is not None and examples < 2:
        raise UserError(f"Importance sampling of {examples} example has no standard error: at least 2 are needed.")
    if particles < 1:
        raise ValueError(f"At least one importance sample is needed for each example, not {particles}.")
    _check_data(x if mask is None else x.where(mask, 0))
    everything = Data(x, context, mask)
    if not has_bound(model, everything):
        return distortion_alone(model, everything, log_volume=log_volume, what=data)
    sampled_data = everything.rows(slice(examples))
    distortion, rate = bound(model, x, seed=seed, context=context, mask=mask)
    _check_finite(distortion + rate, "−ELBO")
    used = diagnostics(model, x, seed=seed, context=context, mask=mask)
    sampled = importance_sampling(
        model,
        sampled_data.x,
        particles,
        seed=seed,
        context=sampled_data.context,
        mask=sampled_data.mask,
        precision=precision,
        on_progress=on_progress,
    )
    _check_finite(sampled.log_likelihood, "log-likelihood")
    negative_elbo, negative_elbo_error = _mean(distortion + rate)
    nll, nll_error = _mean(-sampled.log_likelihood)
    rounding = "" if precision == "float32" else _rounding(model, sampled_data, particles, seed, sampled)
    doubts = [
        used.collapse,
        _too_few_particles(sampled, particles),
        None if training_bound is None else _overfitting(negative_elbo - training_bound, distortion + rate),
    ]
    return Evaluation(
        examples=len(x),
        negative_elbo=negative_elbo - log_volume,
        negative_elbo_error=negative_elbo_error,
        distortion=distortion.mean().item() - log_volume,
        rate=rate.mean().item(),
        nll_examples=len(sampled.log_likelihood),
        particles=particles,
        nll=nll - log_volume,
        nll_error=nll_error,
        effective_sample_size=sampled.effective_sample_size.mean().item(),
        effective_sample_size_low=sampled.effective_sample_size.quantile(0.05).item(),
        latent_dim=len(used.active),
        active_units=int(used.active.sum()),
        kl_per_dimension=tuple(used.kl_per_dimension.tolist()),
        bits_per_dimension=None if dimensions is None else (nll - log_volume) / dimensions / math.log(2),
        seed=seed,
        seconds=time.perf_counter() - began,
        protocol=_protocol(x, len(sampled.log_likelihood), particles, seed, log_volume, data, rounding),
        warnings=tuple(doubt for doubt in doubts if doubt is not None),
    )


def _mean(values: Float[Tensor, "N"]) -> tuple[float, float]:
    """The mean over the data and its standard error."""
    return values.mean().item(), values.std().item() / math.sqrt(len(values))


def _check_data(x: Float[Tensor, "N *event"]) -> None:
    odd = (~x.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
    if odd:
        raise UserError(
            f"{len(odd):,} of {len(x):,} examples have entries that are not finite, the first in row {odd[0]}: "
            "correct these rows, leave them out, or give a mask of what was observed."
        )


def _check_finite(values: Float[Tensor, "N"], what: str) -> None:
    odd = (~values.isfinite()).nonzero().flatten().tolist()
    if odd:
        raise UserError(
            f"The {what} of {len(odd):,} of {len(values):,} examples is not finite, the first in row {odd[0]}: "
            "look at these rows for values that the model cannot have seen, or train again with a lower learning rate."
        )


def _too_few_particles(sampled: ImportanceEstimate, particles: int) -> str | None:
    """Whether the importance-sampled NLL is still far too high.

    By the delta method, E[log p̂] = log p − ½ Var(p̂ / p) + …, and Var(p̂ / p) is about 1 / ESS − 1 / K.
    """
    effective = sampled.effective_sample_size
    excess = 0.5 * (1 / effective - 1 / particles).mean().item()
    if excess < _EXCESS:
        return None
    return (
        f"The effective sample size is low ({effective.mean().item():.1f} of {particles:,}): the NLL is at least "
        f"{excess:.2f} nats above what more importance samples would give, try {10 * particles:,}."
    )


def _overfitting(gap: float, values: Float[Tensor, "N"]) -> str | None:
    """Whether the bound is worse than that of the training data by more than the data's own variety explains."""
    spread = values.std().item()
    if gap < max(0.25 * spread, 3 * spread / math.sqrt(len(values))):
        return None
    return (
        f"−ELBO is {gap:.2f} nats higher than on the training data, which the model has learned by heart: "
        "stop earlier, or take a smaller model or more data."
    )


def _rounding(model: LatentModel, data: Data, particles: int, seed: int, sampled: ImportanceEstimate) -> str:
    """What bfloat16 changed, from the same draws of z in float32."""
    few = data.rows(slice(_COMPARED))
    exact = importance_sampling(model, few.x, particles, seed=seed, context=few.context, mask=few.mask)
    change, error = _mean(exact.log_likelihood - sampled.log_likelihood[:_COMPARED])
    return (
        f"networks in bfloat16 for the NLL, which changed it by {change:+.3f} ± {error:.3f} nats on the first "
        f"{len(few.x)} examples"
    )


def _protocol(x: Tensor, sampled: int, particles: int, seed: int, log_volume: float, data: str, rounding: str) -> str:
    parts = [
        f"−ELBO: one draw of z for each of {len(x):,} examples, KL in closed form where there is one",
        f"NLL: −log of the mean of K = {particles:,} importance weights p(x, z) / q(z | x), z ~ q(z | x), for each of "
        f"{sampled:,} examples (Burda et al. 2015, equation 8), in expectation an upper bound on −log p(x)",
        "±: one standard error of the mean over the examples",
        f"{str(x.dtype).removeprefix('torch.')}, seed {seed}",
    ]
    if rounding:
        parts.append(rounding)
    if data:
        parts.insert(0, f"Data: {data}")
    if log_volume:
        parts.append(f"densities in the data's own units, for which {log_volume:.3f} nats were added to log p(x)")
    return "; ".join(parts) + "."
