"""A Gaussian turned by reflections: the linear flow that keeps volume.

    z = H_T … H_1 (μ + σ ⊙ ε),   H_t = I − 2 v_t v_tᵀ / |v_t|²

References:
    Tomczak and Welling, Improving variational auto-encoders using Householder flow, 2016.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, constraints

from lowerbound.distributions.gaussian import diagonal_gaussian


class HouseholderGaussian(Distribution):
    """N(U μ, U diag σ² Uᵀ), event shape [D], with U the product of T reflections.

    Args:
        mean: μ, before the reflections.
        log_variance: log σ², bounded as everywhere.
        vectors: What is reflected along, first to last; of any length but zero.
    """

    has_rsample = True

    def __init__(
        self,
        mean: Float[Tensor, "*batch D"],
        log_variance: Float[Tensor, "*batch D"],
        vectors: Float[Tensor, "*batch T D"],
    ) -> None:
        self.unturned: Independent = diagonal_gaussian(mean, log_variance)
        self.vectors = torch.nn.functional.normalize(vectors, dim=-1)
        super().__init__(mean.shape[:-1], mean.shape[-1:], validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Vectors of real numbers."""
        return constraints.real_vector

    def _reflect(self, z: Tensor, vectors: Tensor) -> Tensor:
        for v in vectors.unbind(-2):
            z = z - 2 * (z * v).sum(-1, keepdim=True) * v
        return z

    @property
    def mean(self) -> Float[Tensor, "*batch D"]:
        """U μ."""
        return self._reflect(self.unturned.mean, self.vectors)

    @property
    def variance(self) -> Float[Tensor, "*batch D"]:
        """The diagonal of U diag σ² Uᵀ."""
        identity = torch.eye(self.event_shape[0], dtype=self.vectors.dtype, device=self.vectors.device)
        turned = self._reflect(identity, self.vectors.unsqueeze(-3))  # row j is U e_j
        return (self.unturned.variance.unsqueeze(-1) * turned.square()).sum(-2)

    def log_determinant(self) -> Float[Tensor, "*batch"]:
        """log |covariance|, which no reflection changes."""
        return self.unturned.variance.log().sum(-1)

    def rsample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample D"]:
        """A reparameterized draw."""
        return self._reflect(self.unturned.rsample(torch.Size(sample_shape)), self.vectors)

    def log_prob(self, value: Float[Tensor, "*sample D"]) -> Float[Tensor, "*sample"]:
        """Log density in nats."""
        return self.unturned.log_prob(self._reflect(value, self.vectors.flip(-2)))
