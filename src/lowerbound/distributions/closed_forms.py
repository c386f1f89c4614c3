"""Closed forms of KL(q ‖ p) that torch lacks, made known to `torch.distributions.kl_divergence`.

    full, low-rank or turned Gaussian ‖ diagonal Gaussian
    von Mises-Fisher ‖ uniform on the sphere
    groups of one-hot vectors ‖ the same

There is none from a relaxed categorical, a flow or a mixture, nor to one.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, LowRankMultivariateNormal, MultivariateNormal, Normal, register_kl

from lowerbound.distributions.householder import HouseholderGaussian
from lowerbound.distributions.one_hot import OneHotGroups
from lowerbound.distributions.von_mises_fisher import SphereUniform, VonMisesFisher

CorrelatedGaussian = MultivariateNormal | LowRankMultivariateNormal | HouseholderGaussian


@register_kl(MultivariateNormal, Independent)
@register_kl(LowRankMultivariateNormal, Independent)
@register_kl(HouseholderGaussian, Independent)
def _kl_from_diagonal(q: CorrelatedGaussian, p: Independent) -> Float[Tensor, "..."]:
    """KL(N(μ, Σ) ‖ N(m, diag s²)) = ½ Σ_i [(Σ_ii + (μ_i − m_i)²) / s_i² − 1 + log s_i²] − ½ log |Σ|."""
    if not isinstance(p.base_dist, Normal) or p.reinterpreted_batch_ndims != 1:
        raise NotImplementedError
    squared = p.base_dist.scale.square()
    each = (q.variance + (q.mean - p.base_dist.loc).square()) / squared - 1 + squared.log()
    return 0.5 * (each.sum(-1) - _log_determinant(q))


def _log_determinant(q: CorrelatedGaussian) -> Float[Tensor, "..."]:
    """log |Σ|; for U Uᵀ + D it is log |D| + log |I + Uᵀ D⁻¹ U|."""
    if isinstance(q, HouseholderGaussian):
        return q.log_determinant()
    if isinstance(q, MultivariateNormal):
        return 2 * q.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    scaled = q.cov_factor / q.cov_diag.sqrt().unsqueeze(-1)
    inner = torch.eye(scaled.shape[-1], dtype=scaled.dtype, device=scaled.device) + scaled.mT @ scaled
    return q.cov_diag.log().sum(-1) + torch.logdet(inner)


@register_kl(VonMisesFisher, SphereUniform)
def _kl_from_uniform(q: VonMisesFisher, p: SphereUniform) -> Float[Tensor, "..."]:
    """Davidson et al. 2018, equation 14."""
    return q.kl_to_uniform()


@register_kl(OneHotGroups, OneHotGroups)
def _kl_of_groups(q: OneHotGroups, p: OneHotGroups) -> Float[Tensor, "..."]:
    """Σ over groups and categories of q log (q / p)."""
    return (q.logits.exp() * (q.logits - p.logits)).sum((-2, -1))
