"""Bounds from several importance samples.

L_K = E_{z_1 … z_K ~ q} [log (1/K) Σ_k w_k],   w_k = p(x, z_k) / q(z_k | x)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lowerbound.models import Trace
from lowerbound.objectives.objective import Objective, Value


@dataclass(frozen=True)
class IWAE(Objective):
    """The importance-weighted bound.

    Args:
        particles: Importance samples, K; with one it is the lower bound.

    Raises:
        ValueError: Fewer than one particle.

    References:
        Burda, Grosse and Salakhutdinov, Importance weighted autoencoders, 2015, equation 8.
    """

    particles: int = 5

    def __post_init__(self) -> None:
        if self.particles < 1:
            raise ValueError(f"particles must be at least 1, not {self.particles}.")

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−log of the mean importance weight, averaged over the batch."""
        log_likelihood = trace.log_likelihood()
        log_ratio = sum((latent.log_ratio() for latent in trace.latents[1:]), start=trace.latents[0].log_ratio())
        bound = (log_likelihood + log_ratio).logsumexp(0) - math.log(log_likelihood.shape[0])
        return Value(-bound.mean(), -log_likelihood.mean(), -log_ratio.mean())
