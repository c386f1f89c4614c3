"""The variational lower bound and its weightings.

L = E_q [log p(x | z)] − β KL(q(z | x) ‖ p(z))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from lowerbound.models import Latent, Trace
from lowerbound.objectives import gradients
from lowerbound.objectives.objective import Objective, Value, check_particles
from lowerbound.objectives.schedules import check_share, warmed_up


@dataclass(frozen=True)
class ELBO(Objective):
    """The evidence lower bound, with the KL in closed form where there is one.

    Args:
        beta: Weight of the KL term; 1 is the bound (Higgins et al., β-VAE, 2017, equation 4).
        free_bits: Nats that each latent dimension may spend without cost: its KL, averaged over the batch, counts as
            at least this much (Kingma et al., Inverse autoregressive flow, 2016, equation 15). Where the dimensions
            are not independent, the nats of a whole group of latent variables.
        kl_warmup: Share of the training over which the weight of the KL term rises from 0 to `beta` (Sønderby et al.,
            Ladder variational autoencoders, 2016, section 2.3).
        particles: Draws of z for each datum.
        gradient: "pathwise", "sticking-the-landing" (without the score of q; the KL is then sampled), or
            "score-function" (z is not reparameterized; leave-one-out baseline, so at least two particles).

    Raises:
        ValueError: A setting out of range, or settings that exclude each other.
    """

    beta: float = 1.0
    free_bits: float = 0.0
    kl_warmup: float = 0.0
    particles: int = 1
    gradient: Literal["pathwise", "sticking-the-landing", "score-function"] = "pathwise"

    def __post_init__(self) -> None:
        for name in ("beta", "free_bits"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a number that is not negative, it is {value}.")
        check_share(self.kl_warmup, "kl_warmup")
        check_particles(self.particles, 2 if self.gradient == "score-function" else 1)
        if self.free_bits > 0 and self.gradient != "pathwise":
            raise ValueError("free_bits needs the pathwise gradient: the others sample the KL.")

    @property
    def pathwise(self) -> bool:
        """Whether z must be reparameterized."""
        return self.gradient != "score-function"

    def kl_weight(self, progress: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """The weight β of the KL term at this point of the training."""
        return self.beta * warmed_up(progress, self.kl_warmup)

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−log p(x | z) + β KL, averaged over particles and batch."""
        weight = self.kl_weight(progress)
        if self.gradient != "pathwise":
            return self._sampled(trace, weight)
        distortion = -trace.log_likelihood().mean()
        rate = trace.kl().mean()
        charged = rate
        if self.free_bits > 0:
            groups = [_kl_with_free_bits(latent, self.free_bits) for latent in trace.latents]
            charged = sum(groups[1:], start=groups[0])
        return Value(distortion + weight * charged, distortion, rate)

    def _sampled(self, trace: Trace, weight: Float[Tensor, ""]) -> Value:
        """The bound with −log p(z) + log q(z | x) in place of the closed-form KL."""
        log_likelihood, log_prior, log_q = trace.log_likelihood(), trace.log_prior(), trace.log_posterior()
        if self.gradient == "sticking-the-landing":
            kl = gradients.without_score(log_q, gradients.only_latent(trace, self.gradient)) - log_prior
            bound = log_likelihood - weight * kl
        else:
            kl = log_q.detach() - log_prior
            value = log_likelihood - weight * kl
            bound = value + gradients.score_term(value - gradients.others_mean(value), log_q)
        return Value(-bound.mean(), -log_likelihood.mean(), kl.mean())


def _kl_with_free_bits(latent: Latent, free_bits: float) -> Float[Tensor, ""]:
    try:
        each = latent.kl_per_dimension()
    except (ValueError, NotImplementedError):  # dependent dimensions, or no closed form: the group as a whole
        return latent.kl().mean().clamp(min=free_bits)
    batch_dims = each.ndim - len(latent.posterior.event_shape)
    return each.flatten(0, batch_dims - 1).mean(0).clamp(min=free_bits).sum()
