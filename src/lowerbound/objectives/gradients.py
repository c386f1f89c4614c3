"""Estimators of a bound's gradient: they leave its value as it is, and change only which gradients flow.

With z = g(ε, φ) reparameterized, the derivative of log q_φ(z) has two parts, one along the path through z and one that
holds z fixed (the score); the score's expectation is zero, and what remains of it is noise.

References:
    Roeder, Wu and Duvenaud, Sticking the landing, 2017.
    Tucker, Lawson, Gu and Maddison, Doubly reparameterized gradient estimators for Monte Carlo objectives, 2018.
    Mnih and Rezende, Variational inference for Monte Carlo objectives, 2016.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def path_part(log_q: Float[Tensor, "K B"], z: Float[Tensor, "K B *event"]) -> Float[Tensor, "K B"]:
    """Zero, whose gradient is that of log q along the path through z: subtract it, and the score is left."""
    (slope,) = torch.autograd.grad(log_q.sum(), z, retain_graph=True)
    return ((z - z.detach()) * slope).flatten(log_q.ndim).sum(-1)


def without_score(log_q: Float[Tensor, "K B"], z: Float[Tensor, "K B *event"]) -> Float[Tensor, "K B"]:
    """log q, with a gradient along the path through z alone."""
    return log_q.detach() + path_part(log_q, z) if z.requires_grad else log_q


def scale_path(z: Float[Tensor, "K B *event"], factor: Float[Tensor, "K B"]) -> None:
    """Multiply every gradient that reaches z, and through it the posterior; a trace can be treated so once."""
    if z.requires_grad:
        z.register_hook(lambda gradient: gradient * factor.reshape(*factor.shape, *[1] * (z.ndim - factor.ndim)))


def score_term(signal: Float[Tensor, "K B"], log_q: Float[Tensor, "K B"]) -> Float[Tensor, "K B"]:
    """Zero, whose gradient is signal · ∇ log q: the score-function estimator with any learning signal.

    Raises:
        ValueError: The posterior is certain of its draws, and has no score.
    """
    if torch.is_grad_enabled() and not log_q.requires_grad:
        raise ValueError(
            "The score-function gradient needs a posterior whose density has parameters, which a point has not: a "
            "vector-quantized posterior is trained by the objective vq-vae."
        )
    return signal.detach() * (log_q - log_q.detach())


def others_mean(value: Float[Tensor, "K B"]) -> Float[Tensor, "K B"]:
    """For each particle the mean over the others: a baseline that does not depend on it.

    Raises:
        ValueError: There is only one particle.
    """
    particles = value.shape[0]
    if particles < 2:
        raise ValueError("A leave-one-out baseline needs at least 2 particles.")
    return (value.sum(0) - value) / (particles - 1)


def vimco_signal(log_w: Float[Tensor, "K B"]) -> Float[Tensor, "K B"]:
    """For each particle the bound less the bound with its weight replaced by the others' geometric mean.

    Mnih and Rezende 2016, equation 10.
    """
    replaced = torch.diag_embed((others_mean(log_w) - log_w).movedim(0, -1)).movedim(-1, 0).movedim(-1, 0)
    return log_w.logsumexp(0) - (log_w.unsqueeze(0) + replaced).logsumexp(1)
