"""The codes of a codebook that are nearest to a network's output, as groups of one-hot vectors.

    z_g = one-hot(argmin_c ‖e_g − m_c‖),   q(z | x) = 1[z = z(x)]

References:
    van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning, 2017, equations 1 and 2.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import one_hot


class NearestCode(Distribution):
    """Certainty about G choices of one code in C, event shape [G · C].

    It is a probability and not a density, so that its KL divergence to a prior p is finite: −log p(z).

    Args:
        features: What the network said, e.
        codes: The codebook, m; no gradient reaches it.
    """

    def __init__(self, features: Float[Tensor, "*batch G d"], codes: Float[Tensor, "C d"]) -> None:
        self.features = features
        self.categories = len(codes)
        with torch.no_grad():
            # ‖e − m‖² without ‖e‖², which is the same for every code.
            distance = codes.square().sum(-1) - 2 * features @ codes.mT
            self.which: Int[Tensor, "*batch G"] = distance.argmin(-1)
            self.nearest: Float[Tensor, "*batch G d"] = codes[self.which]
        super().__init__(features.shape[:-2], torch.Size((features.shape[-2] * len(codes),)), validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Vectors (of ones and zeros)."""
        return constraints.real_vector

    @property
    def mean(self) -> Float[Tensor, "*batch D"]:
        """z."""
        return one_hot(self.which, self.categories).to(self.features.dtype).flatten(-2)

    @property
    def variance(self) -> Float[Tensor, "*batch D"]:
        """Zero."""
        return torch.zeros_like(self.mean)

    @property
    def distance(self) -> Float[Tensor, "*batch"]:
        """Σ_g ‖e_g − m‖² to the nearest codes: what holds the encoder to its choices."""
        return (self.features - self.nearest).square().sum((-2, -1))

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample D"]:
        """z, as often as it is asked for; it has no gradient."""
        return self.mean.expand(torch.Size(sample_shape) + self.batch_shape + self.event_shape)

    def log_prob(self, value: Float[Tensor, "*sample D"]) -> Float[Tensor, "*sample"]:
        """0 at z and −∞ elsewhere."""
        return torch.where((value == self.mean).all(-1), 0.0, -math.inf).to(value.dtype)

    def entropy(self) -> Float[Tensor, "*batch"]:
        """Zero."""
        return self.features.new_zeros(self.batch_shape)
