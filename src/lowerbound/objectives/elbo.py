"""The variational lower bound and its weightings.

L = E_q [log p(x | z)] − β Σ_l γ_l KL(q(z_l | x) ‖ p(z_l))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lowerbound.models import Latent, Trace
from lowerbound.objectives import gradients
from lowerbound.objectives.objective import Objective, Value, check_particles, check_weight, only_latent
from lowerbound.objectives.schedules import check_share, warmed_up

# Nats that are added to every group's KL by the balancing, so that one that spends nothing yet is not free.
LEAST_SPENT = 0.01


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
        kl_balance: Whether, during that warm-up, the groups of latent variables are charged in proportion to what each
            of their dimensions spends, so that none is given up while it costs little (Vahdat and Kautz, NVAE, 2020,
            appendix A; in proportion to the reciprocal of a group's size, as the authors have since corrected it).
        particles: Draws of z for each datum.
        gradient: "pathwise", "sticking-the-landing" (without the score of q; the KL is then sampled), or
            "score-function" (z is not reparameterized; leave-one-out baseline, so at least two particles).

    Raises:
        ValueError: A setting out of range, or settings that exclude each other.
    """

    beta: float = 1.0
    free_bits: float = 0.0
    kl_warmup: float = 0.0
    kl_balance: bool = False
    particles: int = 1
    gradient: Literal["pathwise", "sticking-the-landing", "score-function"] = "pathwise"

    def __post_init__(self) -> None:
        check_weight(self.beta, "beta")
        check_weight(self.free_bits, "free_bits")
        check_share(self.kl_warmup, "kl_warmup")
        check_particles(self.particles, 2 if self.gradient == "score-function" else 1)
        if self.free_bits > 0 and self.gradient != "pathwise":
            raise ValueError("free_bits needs the pathwise gradient: the others sample the KL.")
        if self.kl_balance and (self.kl_warmup == 0 or self.gradient != "pathwise"):
            raise ValueError("kl_balance needs a kl_warmup, during which it works, and the pathwise gradient.")

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
        distortion, groups = -trace.log_likelihood().mean(), [latent.kl().mean() for latent in trace.latents]
        charged = torch.stack(groups)
        if self.free_bits > 0:
            charged = torch.stack([_kl_with_free_bits(latent, self.free_bits) for latent in trace.latents])
        if self.kl_balance:
            sizes = [latent.posterior.event_shape.numel() for latent in trace.latents]
            balance = balancing(torch.stack(groups).detach(), charged.new_tensor(sizes))
            charged = charged * balance.where(progress < self.kl_warmup, 1.0)
        return Value(distortion + weight * charged.sum(), distortion, torch.stack(groups).sum())

    def _sampled(self, trace: Trace, weight: Float[Tensor, ""]) -> Value:
        """The bound with −log p(z) + log q(z | x) in place of the closed-form KL."""
        log_likelihood, log_prior, log_q = trace.log_likelihood(), trace.log_prior(), trace.log_posterior()
        if self.gradient == "sticking-the-landing":
            z = only_latent(trace, f"The {self.gradient} gradient").z
            kl = gradients.without_score(log_q, z) - log_prior
            bound = log_likelihood - weight * kl
        else:
            kl = log_q.detach() - log_prior
            value = log_likelihood - weight * kl
            bound = value + gradients.score_term(value - gradients.others_mean(value), log_q)
        return Value(-bound.mean(), -log_likelihood.mean(), kl.mean())


@dataclass(frozen=True)
class Capacity(Objective):
    """The rate is steered to a capacity C that rises during the training.

        E_q [−log p(x | z)] + γ |KL − C|

    Args:
        nats: What C rises to.
        gamma: Price of each nat that the rate is away from C.
        kl_warmup: Share of the training over which C rises from 0.
        particles: Draws of z for each datum.

    Raises:
        ValueError: A setting out of range.

    References:
        Burgess et al., Understanding disentangling in β-VAE, 2018, equation 8.
    """

    nats: float = 25.0
    gamma: float = 1000.0
    kl_warmup: float = 0.5
    particles: int = 1

    def __post_init__(self) -> None:
        check_weight(self.nats, "nats")
        check_weight(self.gamma, "gamma")
        check_share(self.kl_warmup, "kl_warmup")
        check_particles(self.particles, 1)

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−log p(x | z) + γ |KL − C|, with the KL averaged over the batch before it is compared."""
        distortion, rate = -trace.log_likelihood().mean(), trace.kl().mean()
        capacity = self.nats * warmed_up(progress, self.kl_warmup)
        return Value(distortion + self.gamma * (rate - capacity).abs(), distortion, rate)


def balancing(kl: Float[Tensor, " L"], sizes: Float[Tensor, " L"]) -> Float[Tensor, " L"]:
    """γ_l = L a_l / Σ_m a_m, with a_l the nats that each dimension of group l spends.

    Args:
        kl: KL of each group, averaged over the batch, in nats.
        sizes: Dimensions of each.
    """
    spent = (kl.clamp(min=0) + LEAST_SPENT) / sizes  # a sampled KL may be negative
    return spent / spent.mean()


def _kl_with_free_bits(latent: Latent, free_bits: float) -> Float[Tensor, ""]:
    try:
        each = latent.kl_per_dimension()
    except (ValueError, NotImplementedError):  # dependent dimensions, or no closed form: the group as a whole
        return latent.kl().mean().clamp(min=free_bits)
    batch_dims = each.ndim - len(latent.posterior.event_shape)
    return each.flatten(0, batch_dims - 1).mean(0).clamp(min=free_bits).sum()
