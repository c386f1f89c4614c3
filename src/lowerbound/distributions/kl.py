"""The Kullback-Leibler divergence of a posterior from a prior.

    KL(q ‖ p) = E_q [log q(z) − log p(z)]

in closed form where torch has one registered, and otherwise as the one-sample Monte Carlo estimate at z ~ q.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
    kl_divergence,
    register_kl,
)

from lowerbound.distributions.entrywise import entries


def kl(q: Distribution, p: Distribution, z: Float[Tensor, "K B *event"]) -> Float[Tensor, "..."]:
    """KL(q ‖ p) in nats.

    Args:
        q: The distribution of z, batch shape [B] or [K, B].
        p: The reference, batch shape [], [B] or [K, B].
        z: Draws from q, used only where no closed form is registered.

    Returns:
        The closed form in the broadcast batch shape of the two, or log q(z) − log p(z), [K, B].
    """
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return q.log_prob(z) - p.log_prob(z)


def entrywise_kl(q: Distribution, p: Distribution) -> Float[Tensor, "..."]:
    """Closed-form KL of each independent entry, in nats, batch shape followed by the entries' shape.

    Raises:
        ValueError: The entries of either are not independent.
        NotImplementedError: No closed form is registered for the pair.
    """
    return kl_divergence(entries(q), entries(p))


@register_kl(MultivariateNormal, Independent)
@register_kl(LowRankMultivariateNormal, Independent)
def _kl_from_diagonal(q: MultivariateNormal | LowRankMultivariateNormal, p: Independent) -> Float[Tensor, "..."]:
    """KL(N(μ, Σ) ‖ N(m, diag s²)) = ½ Σ_i [(Σ_ii + (μ_i − m_i)²) / s_i² − 1 + log s_i²] − ½ log |Σ|."""
    if not isinstance(p.base_dist, Normal) or p.reinterpreted_batch_ndims != 1:
        raise NotImplementedError
    squared = p.base_dist.scale.square()
    each = (q.variance + (q.mean - p.base_dist.loc).square()) / squared - 1 + squared.log()
    return 0.5 * (each.sum(-1) - _log_determinant(q))


def _log_determinant(q: MultivariateNormal | LowRankMultivariateNormal) -> Float[Tensor, "..."]:
    """log |Σ|; for U Uᵀ + D it is log |D| + log |I + Uᵀ D⁻¹ U|."""
    if isinstance(q, MultivariateNormal):
        return 2 * q.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    scaled = q.cov_factor / q.cov_diag.sqrt().unsqueeze(-1)
    inner = torch.eye(scaled.shape[-1], dtype=scaled.dtype, device=scaled.device) + scaled.mT @ scaled
    return q.cov_diag.log().sum(-1) + torch.logdet(inner)
