"""The KL term taken apart, and its parts weighted one by one.

    E_x [KL(q(z | x) ‖ p(z))] = I(x; z) + KL(q(z) ‖ Π_d q(z_d)) + Σ_d KL(q(z_d) ‖ p(z_d))

Mutual information, total correlation and dimension-wise KL all hang on the aggregate posterior
q(z) = (1/N) Σ_n q(z | x_n), a sum over the whole training set that is estimated from the posteriors of the batch.

References:
    Chen, Li, Grosse and Duvenaud, Isolating sources of disentanglement in variational autoencoders, 2018.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, LowRankMultivariateNormal, MultivariateNormal, Normal

from lowerbound.distributions import HouseholderGaussian
from lowerbound.models import Trace
from lowerbound.objectives.objective import Objective, Value, check_particles, check_weight, only_latent

Sampling = Literal["weighted", "stratified"]


class Decomposition(NamedTuple):
    """The three parts of the rate on a batch, in nats; their sum is the average of log q(z | x) − log p(z)."""

    mutual_information: Float[Tensor, ""]
    """Between the index of a datum and its code."""
    total_correlation: Float[Tensor, ""]
    dimension_wise: Float[Tensor, ""]
    """Σ_d KL(q(z_d) ‖ p(z_d)); where p(z) does not factorise, KL(Π_d q(z_d) ‖ p(z))."""


@dataclass(frozen=True)
class BetaTCVAE(Objective):
    """The lower bound with the parts of its KL term weighted one by one.

    Args:
        data_size: Data that the batches are drawn from, N.
        alpha: Weight of the mutual information.
        beta: Weight of the total correlation.
        gamma: Weight of the dimension-wise KL.
        sampling: How q(z) is estimated from a batch: "weighted" or "stratified" (see `log_batch_weights`).
        particles: Draws of z for each datum.

    Raises:
        ValueError: A setting out of range.
    """

    data_size: int
    alpha: float = 1.0
    beta: float = 6.0
    gamma: float = 1.0
    sampling: Sampling = "weighted"
    particles: int = 1

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "gamma"):
            check_weight(getattr(self, name), name)
        check_particles(self.data_size, 1, "data_size")
        check_particles(self.particles, 1)

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−log p(x | z) + KL + (α − 1) I + (β − 1) TC + (γ − 1) Σ_d KL_d.

        With all three at 1 it is the lower bound with the KL in closed form; what is weighted otherwise is sampled.
        """
        distortion, rate = -trace.log_likelihood().mean(), trace.kl().mean()
        parts = decompose(trace, self.data_size, self.sampling)
        excess = sum(
            (weight - 1) * part for weight, part in zip((self.alpha, self.beta, self.gamma), parts, strict=True)
        )
        return Value(distortion + rate + excess, distortion, rate)


def decompose(trace: Trace, data_size: int, sampling: Sampling = "weighted") -> Decomposition:
    """Estimate the three parts of the rate from one batch.

    With "weighted" sampling they are biased, and their changes say more than their values: where all posteriors are the
    same and nothing is encoded, the mutual information comes out as log N and the total correlation as (D − 1) log N.

    Args:
        trace: With one group of latent variables, a vector.
        data_size: Data that the batch was drawn from, N.
        sampling: See `log_batch_weights`.

    Raises:
        ValueError: Several groups of latent variables, a posterior whose marginals are not known, or what
            `log_batch_weights` refuses.
    """
    latent = only_latent(trace, "The decomposition of the KL term")
    posterior, z = latent.posterior, latent.z
    weights = log_batch_weights(z.shape[1], data_size, sampling).to(z)
    others = z.unsqueeze(2)  # [K, B, 1, D]: the draws of datum i under the posterior of datum j
    each = marginals(posterior).log_prob(others)
    joint = each.sum(-1) if isinstance(posterior, Independent) else posterior.log_prob(others)
    log_q = joint.diagonal(dim1=1, dim2=2)
    log_aggregate = (joint + weights).logsumexp(2)
    log_product = (each + weights.unsqueeze(-1)).logsumexp(2).sum(-1)
    return Decomposition(
        (log_q - log_aggregate).mean(),
        (log_aggregate - log_product).mean(),
        (log_product - latent.log_prior()).mean(),
    )


def log_batch_weights(batch: int, data_size: int, sampling: Sampling) -> Float[Tensor, "B B"]:
    """log W, with q(z_i) ≈ Σ_j W_ij q(z_i | x_j) for a draw z_i from the posterior of datum i of the batch.

    Minibatch-weighted sampling has W_ij = 1 / (N B) throughout. Its estimate of log q(z) is too low in expectation, and
    N and B shift it by a constant that no gradient sees. Minibatch-stratified sampling is unbiased for q(z). The
    posterior that z was drawn from is known to be in the sum, and has W_ii = 1 / N. With M = B − 1, one of the others
    stands for all those outside of the batch too, W_i,i+1 = (N − M) / (N M), and the rest have 1 / M.

    Args:
        batch: Data in the batch, B.
        data_size: Data that it was drawn from, N.
        sampling: "weighted" or "stratified".

    Raises:
        ValueError: A stratified batch of fewer than two data, or of more than there are.

    References:
        Chen et al. 2018, section 3 and appendix C. The authors' program writes the stratified weights to two columns
        in place of the diagonal and the one beside it.
    """
    if sampling == "weighted":
        return torch.full((batch, batch), -math.log(data_size * batch), dtype=torch.float64)
    if not 2 <= batch <= data_size:
        raise ValueError(f"Stratified sampling needs a batch of 2 to data_size = {data_size} data, not of {batch}.")
    rest = batch - 1
    weights = torch.full((batch, batch), -math.log(rest), dtype=torch.float64)
    own = torch.arange(batch)
    weights[own, (own + 1) % batch] = math.log((data_size - rest) / (data_size * rest))
    weights[own, own] = -math.log(data_size)
    return weights


def marginals(q: Distribution) -> Distribution:
    """The distributions of the single dimensions of z, batch shape [*batch, D].

    Raises:
        ValueError: They are not known.
    """
    if isinstance(q, Independent):
        return q.base_dist
    if isinstance(q, MultivariateNormal | LowRankMultivariateNormal | HouseholderGaussian):
        return Normal(q.mean, q.variance.sqrt(), validate_args=False)
    raise ValueError(f"The marginals of a {type(q).__name__} are not known: take a Gaussian posterior.")
