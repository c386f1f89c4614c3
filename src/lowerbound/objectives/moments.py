"""The covariance of the code held to the identity.

    Cov_x [μ(x)]   or   Cov_q(z) [z] = E_x [Σ(x)] + Cov_x [μ(x)]

References:
    Kumar, Sattigeri and Balakrishnan, Variational inference of disentangled latent concepts from unlabeled
    observations, 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, LowRankMultivariateNormal, MultivariateNormal

from lowerbound.models import Trace
from lowerbound.objectives.objective import Objective, Value, check_particles, check_weight, only_latent


@dataclass(frozen=True)
class DIPVAE(Objective):
    """The lower bound, with a penalty on what the covariance C of the code differs from the identity by.

        −ELBO + λ_od Σ_{i≠j} C_ij² + λ_d Σ_i (C_ii − 1)²

    Args:
        variant: Whose covariance: "I" of the posterior means, "II" of the aggregate posterior.
        off_diagonal: λ_od.
        diagonal: λ_d; the paper takes ten times λ_od for variant I and λ_od itself for variant II.
        particles: Draws of z for each datum.

    Raises:
        ValueError: A setting out of range.
    """

    variant: Literal["I", "II"] = "II"
    off_diagonal: float = 10.0
    diagonal: float = 10.0
    particles: int = 1

    def __post_init__(self) -> None:
        check_weight(self.off_diagonal, "off_diagonal")
        check_weight(self.diagonal, "diagonal")
        check_particles(self.particles, 1)

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−log p(x | z) + KL + the penalty, with the covariance over the batch."""
        posterior = only_latent(trace, "DIP-VAE").posterior
        distortion, rate = -trace.log_likelihood().mean(), trace.kl().mean()
        excess = code_covariance(posterior, of_means=self.variant == "I")
        excess = excess - torch.eye(excess.shape[-1]).to(excess)
        on = excess.diagonal().square().sum()
        off = excess.square().sum() - on
        return Value(distortion + rate + self.off_diagonal * off + self.diagonal * on, distortion, rate)


def code_covariance(posterior: Distribution, *, of_means: bool) -> Float[Tensor, "D D"]:
    """The covariance of the code over a batch, E [v vᵀ] − E [v] E [v]ᵀ.

    Args:
        posterior: q(z | x), batch shape [B].
        of_means: Whether of the posterior means alone, without the spread around them.

    Raises:
        ValueError: The posterior's covariance is not known.
    """
    if isinstance(posterior, Independent):
        spread = torch.diag_embed(posterior.variance)
    elif isinstance(posterior, MultivariateNormal | LowRankMultivariateNormal):
        spread = posterior.covariance_matrix
    else:
        name = type(posterior).__name__
        raise ValueError(f"The mean and covariance of a {name} are not known: take a Gaussian posterior.")
    means = posterior.mean
    centred = means - means.mean(0)
    covariance = centred.mT @ centred / len(means)
    return covariance if of_means else covariance + spread.mean(0)
