"""Bounds from several importance samples.

L_K = E_{z_1 … z_K ~ q} [log (1/K) Σ_k w_k],   w_k = p(x, z_k) / q(z_k | x)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from lowerbound.models import Trace
from lowerbound.objectives import gradients
from lowerbound.objectives.objective import Objective, Value, check_particles, only_latent


def log_mean_exp(log_w: Float[Tensor, "K *rest"]) -> Float[Tensor, "*rest"]:
    """log (1/K) Σ_k w_k over the first axis."""
    return log_w.logsumexp(0) - math.log(log_w.shape[0])


@dataclass(frozen=True)
class IWAE(Objective):
    """The importance-weighted bound.

    Args:
        particles: Importance samples, K; with one it is the lower bound.
        gradient: "pathwise"; "doubly-reparameterized" (DReG: the encoder's signal-to-noise ratio does not fall with K);
            or "score-function" (z is not reparameterized; VIMCO's baselines, so at least two particles).

    Raises:
        ValueError: Too few particles.

    References:
        Burda, Grosse and Salakhutdinov, Importance weighted autoencoders, 2015, equation 8.
    """

    particles: int = 5
    gradient: Literal["pathwise", "doubly-reparameterized", "score-function"] = "pathwise"

    def __post_init__(self) -> None:
        check_particles(self.particles, 2 if self.gradient == "score-function" else 1)

    @property
    def pathwise(self) -> bool:
        """Whether z must be reparameterized."""
        return self.gradient != "score-function"

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−log of the mean importance weight, averaged over the batch."""
        log_likelihood, log_q = trace.log_likelihood(), trace.log_posterior()
        log_p = log_likelihood + trace.log_prior()
        if self.gradient == "doubly-reparameterized":
            z = only_latent(trace, f"The {self.gradient} gradient").z
            log_q = gradients.without_score(log_q, z)
            gradients.scale_path(z, (log_p - log_q).detach().softmax(0))
        log_w = log_p - log_q
        bound = log_mean_exp(log_w)
        if self.gradient == "score-function":
            bound = bound + gradients.score_term(gradients.vimco_signal(log_w), log_q).sum(0)
        return _value(bound, log_likelihood, log_w)


@dataclass(frozen=True)
class MIWAE(Objective):
    """The mean of M importance-weighted bounds of K particles each.

    Args:
        groups: Bounds that are averaged, M: more lower the noise of the gradient.
        particles_per_group: Importance samples of each, K: more tighten the bound.

    Raises:
        ValueError: Fewer than one group or particle.

    References:
        Rainforth et al., Tighter variational bounds are not necessarily better, 2018, equation 10.
    """

    groups: int = 8
    particles_per_group: int = 8
    particles: int = field(init=False)

    def __post_init__(self) -> None:
        check_particles(self.groups, 1, "groups")
        check_particles(self.particles_per_group, 1, "particles_per_group")
        object.__setattr__(self, "particles", self.groups * self.particles_per_group)

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−(1/M) Σ_m log (1/K) Σ_k w_mk, averaged over the batch."""
        log_likelihood, log_w = _weighed(trace)
        grouped = log_w.unflatten(0, (self.groups, self.particles_per_group)).transpose(0, 1)
        return _value(log_mean_exp(grouped).mean(0), log_likelihood, log_w)


@dataclass(frozen=True)
class PIWAE(MIWAE):
    """The decoder follows the bound of all M · K particles, the encoder the mean of M bounds of K.

    Args:
        groups: M, as for `MIWAE`.
        particles_per_group: K, as for `MIWAE`.

    Raises:
        ValueError: Fewer than one group or particle.

    References:
        Rainforth et al., Tighter variational bounds are not necessarily better, 2018, section 5.
    """

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """The value of the decoder's bound; each network has the gradient of its own."""
        log_likelihood, log_q = trace.log_likelihood(), trace.log_posterior()
        log_p = log_likelihood + trace.log_prior()
        log_w = log_p - log_q
        bound = log_mean_exp(log_w)
        if log_w.requires_grad:
            z = only_latent(trace, "PIWAE").z
            grouped = log_w.detach().unflatten(0, (self.groups, self.particles_per_group))
            for_encoder = grouped.softmax(1).flatten(0, 1) / self.groups
            for_decoder = log_w.detach().softmax(0)
            # log p has the decoder's weights; its path through z, which leads to the encoder, is exchanged.
            path = gradients.path_part(log_p, z)
            surrogate = for_decoder * (log_p - path) - for_encoder * (log_q - path)
            surrogate = surrogate.sum(0)
            bound = bound.detach() + surrogate - surrogate.detach()
        return _value(bound, log_likelihood, log_w)


@dataclass(frozen=True)
class CIWAE(Objective):
    """A mixture of the lower bound and the importance-weighted bound on the same particles.

    Args:
        particles: Importance samples, K.
        mixture: Weight of the lower bound; 0 is IWAE, 1 the lower bound.

    Raises:
        ValueError: Fewer than one particle, or a weight outside [0, 1].

    References:
        Rainforth et al., Tighter variational bounds are not necessarily better, 2018, equation 11.
    """

    particles: int = 64
    mixture: float = 0.05

    def __post_init__(self) -> None:
        check_particles(self.particles, 1)
        if not 0 <= self.mixture <= 1:
            raise ValueError(f"mixture must be between 0 and 1, it is {self.mixture}.")

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−(β ELBO + (1 − β) L_K), averaged over the batch."""
        log_likelihood, log_w = _weighed(trace)
        bound = self.mixture * log_w.mean(0) + (1 - self.mixture) * log_mean_exp(log_w)
        return _value(bound, log_likelihood, log_w)


@dataclass(frozen=True)
class Renyi(Objective):
    """The variational Rényi bound of order α.

        L_α = 1 / (1 − α) log E_q [w^(1 − α)]

    Args:
        particles: Draws that the expectation is estimated with.
        order: α; 0 is IWAE and 1, the limit, the lower bound; with many draws, negative orders bound from above.

    Raises:
        ValueError: Fewer than one particle, or an order that is not finite.

    References:
        Li and Turner, Rényi divergence variational inference, 2016, equation 6.
    """

    particles: int = 5
    order: float = 0.5

    def __post_init__(self) -> None:
        check_particles(self.particles, 1)
        if not math.isfinite(self.order):
            raise ValueError(f"order must be a finite number, it is {self.order}.")

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−L_α, averaged over the batch."""
        log_likelihood, log_w = _weighed(trace)
        power = 1 - self.order
        bound = log_w.mean(0) if power == 0 else log_mean_exp(power * log_w) / power
        return _value(bound, log_likelihood, log_w)


def _weighed(trace: Trace) -> tuple[Float[Tensor, "K B"], Float[Tensor, "K B"]]:
    """log p(x | z) and the log-weight, with the dear one of the two computed once."""
    log_likelihood = trace.log_likelihood()
    return log_likelihood, log_likelihood + trace.log_prior() - trace.log_posterior()


def _value(bound: Float[Tensor, " B"], log_likelihood: Float[Tensor, "K B"], log_w: Float[Tensor, "K B"]) -> Value:
    """The loss −bound, beside distortion and rate, which are those of the lower bound."""
    distortion = -log_likelihood.mean()
    return Value(-bound.mean(), distortion, -log_w.mean() - distortion)
