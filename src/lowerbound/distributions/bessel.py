"""The modified Bessel function of the first kind, scaled, for any order and argument.

    log (I_ν(x) e^{−x})   and   I_{ν+1}(x) / I_ν(x)

Orders below 25 are reached from a larger one, at which the uniform expansion for large orders is exact to float64, by
the recurrence I_{n−1}(x) = I_{n+1}(x) + (2 n / x) I_n(x), which is stable downwards. Everything is float64.

References:
    NIST Digital Library of Mathematical Functions, 10.29.1 (recurrence), 10.41.3 and 10.41.9 (expansion).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial import Polynomial
from torch import Tensor

_LARGE_ORDER = 25
_TERMS = 9


@cache
def _coefficients() -> list[list[float]]:
    """The polynomials U_k(p) of the expansion, as coefficients in p² after a factor p^k is taken out."""
    p = Polynomial([0.0, 1.0])
    polynomials = [Polynomial([1.0])]
    for _ in range(_TERMS - 1):
        u = polynomials[-1]
        polynomials.append(0.5 * p**2 * (1 - p**2) * u.deriv() + 0.125 * ((1 - 5 * p**2) * u).integ())
    return [np.asarray(u.coef[k::2]).tolist() for k, u in enumerate(polynomials)]


def _at_large_order(order: float, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """log (I_ν(x) e^{−x}) by the uniform expansion."""
    root = torch.hypot(x, x.new_tensor(order))
    p = order / root
    series = torch.zeros_like(x)
    for k, coefficients in enumerate(_coefficients()):
        inner = torch.zeros_like(x)
        for coefficient in reversed(coefficients):
            inner = inner * p.square() + coefficient
        series = series + inner * (p / order) ** k
    # √(ν² + x²) − x without a difference of nearly equal numbers
    exponent = order**2 / (root + x) + order * torch.log(x / (order + root))
    return exponent - 0.5 * (2 * math.pi * root).log() + series.log()


def log_bessel_and_ratio(
    order: float, x: Float[Tensor, "*shape"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """log (I_ν(x) e^{−x}) and I_{ν+1}(x) / I_ν(x), without a gradient.

    Args:
        order: ν, not negative.
        x: Positive, float64.
    """
    with torch.no_grad():
        up = max(0, math.ceil(_LARGE_ORDER - order))
        value = _at_large_order(order + up, x)
        ratio = (_at_large_order(order + up + 1, x) - value).exp()
        for n in range(up, 0, -1):
            ratio = 1 / (ratio + 2 * (order + n) / x)
            value = value - ratio.log()
        return value, ratio


class _Ratio(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, order: float) -> Tensor:
        _, ratio = log_bessel_and_ratio(order, x)
        ctx.order = order
        ctx.save_for_backward(x, ratio)
        return ratio

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, ratio = ctx.saved_tensors
        return gradient * ((1 - ratio) * (1 + ratio) - (2 * ctx.order + 1) / x * ratio), None


class _LogBessel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, order: float) -> Tensor:
        value, ratio = log_bessel_and_ratio(order, x)
        ctx.order = order
        ctx.save_for_backward(x, ratio)
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, ratio = ctx.saved_tensors
        return gradient * (ratio - 1 + ctx.order / x), None


def bessel_ratio(order: float, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """I_{ν+1}(x) / I_ν(x), with its derivative 1 − r² − (2 ν + 1) r / x; x is float64 and positive."""
    return _Ratio.apply(x, order)  # pyright: ignore[reportReturnType]


def log_bessel(order: float, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """log (I_ν(x) e^{−x}), with its derivative r − 1 + ν / x; x is float64 and positive."""
    return _LogBessel.apply(x, order)  # pyright: ignore[reportReturnType]
