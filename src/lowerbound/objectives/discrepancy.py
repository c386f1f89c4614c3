"""Distance of the aggregate posterior from the prior, measured by draws from both.

    MMD²(q, p) = E [k(z, z')] + E [k(u, u')] − 2 E [k(z, u)],   z, z' ~ q(z),  u, u' ~ p(z)

References:
    Gretton et al., A kernel two-sample test, 2012, lemma 6 (the unbiased estimate).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from lowerbound.models import Trace
from lowerbound.objectives.objective import (
    Objective,
    Value,
    check_particles,
    check_weight,
    from_prior,
    only_latent,
)

Kernel = Literal["imq", "rbf"]


@dataclass(frozen=True)
class InfoVAE(Objective):
    """The lower bound with the aggregate posterior held to the prior.

        E_q [−log p(x | z)] + β E_x [KL(q(z | x) ‖ p(z))] + λ MMD²(q(z), p(z))

    With β = 0 it is the Wasserstein autoencoder with MMD (and with −log p(x | z) as its cost), whose prior has no
    parameters. In the notation of the InfoVAE, β = 1 − α, and λ is its α + λ − 1.

    Args:
        beta: Weight of the KL of each posterior.
        mmd: Weight of the squared maximum mean discrepancy, λ.
        kernel: "imq" (inverse multiquadratic, whose tails still pull what lies far away) or "rbf".
        bandwidth: Of the kernel, in standard deviations of a standard normal prior (see `squared_mmd`).
        particles: Draws of z for each datum.

    Raises:
        ValueError: A setting out of range.

    References:
        Zhao, Song and Ermon, InfoVAE, 2017, section 3.
        Tolstikhin, Bousquet, Gelly and Schölkopf, Wasserstein auto-encoders, 2018, algorithm 2.
    """

    beta: float = 1.0
    mmd: float = 100.0
    kernel: Kernel = "imq"
    bandwidth: float = 1.0
    particles: int = 1

    def __post_init__(self) -> None:
        check_weight(self.beta, "beta")
        check_weight(self.mmd, "mmd")
        check_particles(self.particles, 1)
        if not self.bandwidth > 0:
            raise ValueError(f"bandwidth must be positive, it is {self.bandwidth}.")

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−log p(x | z) + β KL + λ MMD², the last estimated for each particle and averaged."""
        latent = only_latent(trace, "InfoVAE")
        distortion, rate = -trace.log_likelihood().mean(), trace.kl().mean()
        prior = from_prior(latent, "InfoVAE", only_source=self.beta == 0)
        mmd = squared_mmd(latent.z, prior, self.kernel, self.bandwidth).mean()
        return Value(distortion + self.beta * rate + self.mmd * mmd, distortion, rate)


def squared_mmd(
    a: Float[Tensor, "*batch n D"], b: Float[Tensor, "*batch m D"], kernel: Kernel = "imq", bandwidth: float = 1.0
) -> Float[Tensor, "*batch"]:
    """The unbiased estimate of MMD² from independent draws; it is negative about as often as not where both agree.

    The kernels are k = C / (C + ‖x − y‖²) for "imq" and k = exp(−‖x − y‖² / C) for "rbf", with C = 2 D h²: the mean
    squared distance between two draws from N(0, h² I), where h is the bandwidth.

    Args:
        a: Draws from the one.
        b: Draws from the other.
        kernel: Which.
        bandwidth: h.

    Raises:
        ValueError: Fewer than two draws from either.
    """
    if min(a.shape[-2], b.shape[-2]) < 2:
        raise ValueError("The maximum mean discrepancy needs at least 2 draws of each: use a larger batch.")
    scale = 2 * a.shape[-1] * bandwidth**2
    between = _similarity(a, b, kernel, scale).mean((-2, -1))
    return _mean_of_pairs(a, kernel, scale) + _mean_of_pairs(b, kernel, scale) - 2 * between


def _mean_of_pairs(a: Float[Tensor, "*batch n D"], kernel: Kernel, scale: float) -> Float[Tensor, "*batch"]:
    """The mean of k over the pairs of two different draws; of a draw with itself k is 1."""
    n = a.shape[-2]
    return (_similarity(a, a, kernel, scale).sum((-2, -1)) - n) / (n * (n - 1))


def _similarity(
    a: Float[Tensor, "*batch n D"], b: Float[Tensor, "*batch m D"], kernel: Kernel, scale: float
) -> Float[Tensor, "*batch n m"]:
    distance = (a.unsqueeze(-2) - b.unsqueeze(-3)).square().sum(-1)
    return scale / (scale + distance) if kernel == "imq" else (-distance / scale).exp()
