"""Distributions on the unit sphere S^{D−1}: von Mises-Fisher, and the uniform one.

    q(z) = C_D(κ) exp(κ μᵀz),   C_D(κ) = κ^v / ((2π)^{D/2} I_v(κ)),   v = D/2 − 1

with respect to the surface measure. A draw is z = (1 − s) μ + √(s (2 − s)) t with t uniform on the sphere around μ.
The height s = 1 − μᵀz has the density ∝ (s (2 − s))^{(D−3)/2} e^{−κ s}; it is drawn by rejection, and its derivative by
κ is that of the inverse CDF, ds/dκ = −(∂F/∂κ)(s) / p(s), by quadrature. So the gradient of a draw is exact, and no draw
that was rejected enters it.

References:
    Davidson et al., Hyperspherical variational auto-encoders, 2018.
    Wood, Simulation of the von Mises Fisher distribution, 1994 (the rejection sampler).
    Figurnov, Mohamed and Mnih, Implicit reparameterization gradients, 2018.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Beta, Distribution, constraints

from lowerbound.distributions.bessel import bessel_ratio, log_bessel, log_bessel_and_ratio

_NODES = 64


def log_area(dims: int) -> float:
    """Logarithm of the area of the unit sphere S^{D−1} in R^D."""
    return math.log(2) + 0.5 * dims * math.log(math.pi) - math.lgamma(0.5 * dims)


class SphereUniform(Distribution):
    """The uniform distribution on the unit sphere in R^D, batch shape [], event shape [D].

    Args:
        dims: D.
        like: A tensor whose device and type the draws have.
    """

    def __init__(self, dims: int, like: Tensor) -> None:
        self.dims, self.like = dims, like
        super().__init__(torch.Size(), torch.Size((dims,)), validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Vectors (of length one)."""
        return constraints.real_vector

    @property
    def mean(self) -> Float[Tensor, "D"]:
        """The origin."""
        return self.like.new_zeros(self.dims)

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample D"]:
        """A draw: a direction."""
        noise = torch.randn(*sample_shape, self.dims, dtype=self.like.dtype, device=self.like.device)
        return torch.nn.functional.normalize(noise, dim=-1)

    def log_prob(self, value: Float[Tensor, "*sample D"]) -> Float[Tensor, "*sample"]:
        """−log of the area, in nats."""
        return value.new_full(value.shape[:-1], -log_area(self.dims))


class VonMisesFisher(Distribution):
    """Von Mises-Fisher distribution, event shape [D].

    Args:
        loc: Mean direction μ, of length one.
        concentration: κ, from about 1e-3 to 1e5; batch shape.
    """

    has_rsample = True

    def __init__(self, loc: Float[Tensor, "*batch D"], concentration: Float[Tensor, "*batch"]) -> None:
        self.loc = loc
        # Where κ is large, everything hangs on 1 − μᵀz, of the size of 1 / κ.
        self.concentration = concentration.double()
        self.dims = loc.shape[-1]
        super().__init__(concentration.shape, loc.shape[-1:], validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Vectors (of length one)."""
        return constraints.real_vector

    def expand(self, batch_shape: Any, _instance: Any = None) -> VonMisesFisher:
        """The same distribution with its batch expanded."""
        shape = torch.Size(batch_shape)
        return VonMisesFisher(self.loc.expand(*shape, self.dims), self.concentration.expand(shape))

    def mean_cosine(self) -> Float[Tensor, "*batch"]:
        """E[μᵀz] = I_{v+1}(κ) / I_v(κ), float64."""
        return bessel_ratio(0.5 * self.dims - 1, self.concentration)

    def log_normalizer(self) -> Float[Tensor, "*batch"]:
        """log C_D(κ) + κ, in nats and float64: the logarithm of the density at μ."""
        order = 0.5 * self.dims - 1
        kappa = self.concentration
        return order * kappa.log() - 0.5 * self.dims * math.log(2 * math.pi) - log_bessel(order, kappa)

    @property
    def mean(self) -> Float[Tensor, "*batch D"]:
        """E[z], a vector in the direction of μ that is shorter than one."""
        return self.mean_cosine().to(self.loc.dtype).unsqueeze(-1) * self.loc

    @property
    def variance(self) -> Float[Tensor, "*batch D"]:
        """Variance of each coordinate."""
        a, square = self.mean_cosine().unsqueeze(-1), self.loc.double().square()
        # E[(μᵀz)²] = 1 − (D − 1) A / κ, and the D − 1 directions across share the rest evenly.
        across = a / self.concentration.unsqueeze(-1)
        return ((1 - self.dims * across - a.square()) * square + across).to(self.loc.dtype)

    def log_prob(self, value: Float[Tensor, "*sample D"]) -> Float[Tensor, "*sample"]:
        """Log density in nats with respect to the surface measure."""
        # ½ |z − μ|² = 1 − μᵀz, and it forgives that lengths are one only up to rounding.
        height = 0.5 * (value - self.loc).square().sum(-1)
        return (self.log_normalizer() - self.concentration * height).to(value.dtype)

    def kl_to_uniform(self) -> Float[Tensor, "*batch"]:
        """KL from the uniform distribution on the sphere, κ (A − 1) + log C_D(κ) + κ + log area, in nats."""
        kappa = self.concentration
        return (kappa * (self.mean_cosine() - 1) + self.log_normalizer() + log_area(self.dims)).to(self.loc.dtype)

    def rsample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample D"]:
        """A reparameterized draw."""
        shape = self._extended_shape(torch.Size(sample_shape))
        kappa = self.concentration.expand(shape[:-1])
        s: Tensor = _Height.apply(kappa, self.dims)  # pyright: ignore[reportAssignmentType]
        along, across = 1 - s, torch.sqrt(s * (2 - s))
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        tangent = noise - (noise * self.loc).sum(-1, keepdim=True) * self.loc
        tangent = torch.nn.functional.normalize(tangent, dim=-1)
        along, across = along.to(self.loc.dtype).unsqueeze(-1), across.to(self.loc.dtype).unsqueeze(-1)
        return along * self.loc + across * tangent


class _Height(torch.autograd.Function):
    """s = 1 − μᵀz, drawn by rejection, with the derivative of the inverse CDF."""

    @staticmethod
    def forward(ctx: Any, kappa: Tensor, dims: int) -> Tensor:
        s = _draw_height(kappa, dims)
        ctx.dims = dims
        ctx.save_for_backward(s, kappa)
        return s

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        s, kappa = ctx.saved_tensors
        return gradient * height_slope(s, kappa, ctx.dims), None


def _draw_height(kappa: Float[Tensor, "*shape"], dims: int) -> Float[Tensor, "*shape"]:
    """Wood's sampler, written for s = 1 − w so that nothing cancels at large κ."""
    n = dims - 1
    b = n / (2 * kappa + torch.sqrt(4 * kappa.square() + n**2))
    mode = 2 * b / (1 + b)  # 1 − x₀
    half = torch.full_like(kappa, 0.5 * n)
    proposal = Beta(half, half, validate_args=False)
    s = torch.zeros_like(kappa)
    pending = torch.ones_like(kappa, dtype=torch.bool)
    # Two of three proposals and more are accepted, whatever κ and D.
    while pending.any():
        e = proposal.sample()
        drawn = 2 * b * e / (1 - (1 - b) * e)
        # 1 − x₀ w, over its value at w = x₀
        gain = (mode + (1 - mode) * drawn) / (mode * (2 - mode))
        accept = kappa * (mode - drawn) + n * gain.log() >= torch.rand_like(kappa).log()
        s = torch.where(pending & accept, drawn, s)
        pending = pending & ~accept
    return s.clamp(1e-300, 2 - 1e-15)


@cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the Gauss-Legendre rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return 0.5 * (nodes + 1), 0.5 * weights


def height_slope(s: Float[Tensor, "*shape"], kappa: Float[Tensor, "*shape"], dims: int) -> Float[Tensor, "*shape"]:
    """ds/dκ at a fixed value of the CDF: ∫_0^s (t − E[s]) p(t) dt / p(s).

    Above the mean the integral is taken over the upper tail instead, which is its negative, so that the integrand has
    one sign.
    """
    order = 0.5 * dims - 1
    _, ratio = log_bessel_and_ratio(order, kappa)
    mean = 1 - ratio
    spread = torch.sqrt(((1 - ratio) * (1 + ratio) - (2 * order + 1) / kappa * ratio).clamp(min=1e-300))
    above = s > mean
    # Where an end is 0 or 2, (t (2 − t))^{(D−3)/2} is t^{−½} there for D = 2; t = end + (s − end) v² makes it smooth.
    end = torch.where(above, torch.minimum(torch.full_like(s, 2.0), s + 14 * spread + 40 / kappa), torch.zeros_like(s))
    nodes, weights = (torch.as_tensor(each, dtype=s.dtype, device=s.device) for each in _nodes())
    span = (s - end).unsqueeze(-1)
    t = end.unsqueeze(-1) + span * nodes.square()
    s, kappa = s.unsqueeze(-1), kappa.unsqueeze(-1)
    log_ratio = 0.5 * (dims - 3) * ((t / s).log() + ((2 - t) / (2 - s)).log()) - kappa * (t - s)
    each = (t - mean.unsqueeze(-1)) * log_ratio.exp() * 2 * nodes * span
    # span is negative above the mean, which turns ∫_end^s into −∫_s^end
    return (each * weights).sum(-1)
