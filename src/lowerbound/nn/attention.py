"""The attention windows of DRAW: grids of Gaussian filters that read from an image and write on it.

    g_X = (W + 1)/2 (g̃_X + 1),   g_Y = (H + 1)/2 (g̃_Y + 1),   δ = (max(H, W) − 1)/(N − 1) δ̃          (22–24)
    μ_X^i = g_X + (i − N/2 − 0.5) δ,   μ_Y^j = g_Y + (j − N/2 − 0.5) δ                                 (19, 20)
    F_X[i, a] = exp(−(a − μ_X^i)² / 2σ²) / Z_X,   F_Y[j, b] = exp(−(b − μ_Y^j)² / 2σ²) / Z_Y            (25, 26)
    read(x) = γ F_Y x F_Xᵀ,   write(w) = F_Yᵀ w F_X / γ                                                (27, 29)

with i, j = 1 … N for the filters and a = 1 … W, b = 1 … H for the pixels; Z makes each filter sum to one. The five
numbers that a network gives are g̃_X, g̃_Y, log σ², log δ̃ and log γ (21).

References:
    Gregor, Danihelka, Graves, Rezende and Wierstra, DRAW: A recurrent neural network for image generation, 2015,
    section 3.2, whose numbers of equations these are.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lowerbound.errors import UserError

PARAMETERS = 5
"""Numbers that place a window."""
# Widths, strides and intensities from 1/22,000 of what they are to 22,000 times that (σ: the square root of it), far
# from where a trained window goes and from where a product of a few of them overflows in float32.
_BOUND = 10.0
# Shares of the exponents that a type of number has. Weights with an exponent below the first are taken for 0: they add
# nothing, their products stay in the range of the type, and numbers at its edge are a hundred times as slow as others.
# A filter with less than the second in all, beside the nearest point of an endless image, is outside of the image.
_NOTHING, _OUTSIDE = 0.45, 0.2


class Window(NamedTuple):
    """Where a window lies, in pixels that are numbered from 1."""

    x: Float[Tensor, "*batch"]
    """Column of its centre, g_X."""
    y: Float[Tensor, "*batch"]
    """Row of its centre, g_Y."""
    stride: Float[Tensor, "*batch"]
    """Distance of neighbouring filters, δ."""
    extent: Float[Tensor, "*batch"]
    """Pixels from the first filter's to the last one's in either direction, and these two: (N − 1) δ + 1."""
    sigma: Float[Tensor, "*batch"]
    """Standard deviation of each filter."""
    intensity: Float[Tensor, "*batch"]
    """γ."""


class Filters(NamedTuple):
    """The filters of windows."""

    rows: Float[Tensor, "*batch N H"]
    """F_Y."""
    columns: Float[Tensor, "*batch N W"]
    """F_X."""


def filter_bank(
    centres: Float[Tensor, "*batch N"], sigma: Float[Tensor, "*batch"], length: int
) -> Float[Tensor, "*batch N L"]:
    """Gaussian filters over the pixels 1 … `length` of one axis, each with the sum one (equations 25 and 26).

    A filter outside of the image is zero throughout, and one between two pixels is not, however narrow it is.

    Args:
        centres: The means μ.
        sigma: Standard deviation of all filters of a window.
        length: Pixels, L.
    """
    return _FilterBank.apply(centres, sigma, length)  # pyright: ignore[reportReturnType]


class _FilterBank(torch.autograd.Function):
    """Normalised exponentials, with their derivative.

    The exponent is taken relative to that of the integer nearest to the mean. Inside of the image that is a pixel, so
    that Z is at least one; outside, the pixels' weights relative to it vanish and the filter with them.
    """

    @staticmethod
    def forward(ctx: Any, centres: Tensor, sigma: Tensor, length: int) -> Tensor:
        nearest = centres.round()
        pixels = torch.arange(1, length + 1, device=centres.device, dtype=centres.dtype)
        offset = pixels - nearest.unsqueeze(-1)
        twice = (2 * (nearest - centres)).unsqueeze(-1)
        precision = sigma.pow(-2)[..., None, None]
        # (a − μ)² − (n − μ)² = (a − n) (a − n + 2 (n − μ))
        lowest = math.log(torch.finfo(centres.dtype).tiny)
        filters = (offset + twice).mul_(offset).mul_(-0.5 * precision)
        filters.clamp_(min=_NOTHING * lowest).exp_()
        filters = nn.functional.threshold(filters, 1.01 * math.exp(_NOTHING * lowest), 0.0, inplace=True)
        total = filters.sum(-1, keepdim=True)
        least = math.exp(_OUTSIDE * lowest)
        filters.div_(total.clamp(min=least))
        ctx.save_for_backward(filters, offset, twice, precision, total >= least, sigma)
        return filters

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        filters, offset, twice, precision, inside, sigma = ctx.saved_tensors
        of_exponent = gradients[0] * filters
        change = of_exponent.sum(-1, keepdim=True).mul_(inside)
        of_exponent.addcmul_(filters, change, value=-1).mul_(offset)
        along = of_exponent.sum(-1, keepdim=True)
        of_width = torch.addcmul((of_exponent * offset).sum(-1, keepdim=True), along, twice)
        of_sigma = (of_width.sum(-2, keepdim=True) * precision)[..., 0, 0] / sigma
        return (along * precision).squeeze(-1), of_sigma, None


class Attention(nn.Module):
    """A window of N × N filters on images of one size.

    Args:
        size: N.
        height: Rows of the image, H.
        width: Columns of it, W.

    Raises:
        UserError: A window without filters, or with more of them than the image has rows or columns.
    """

    middle: Tensor
    powers: Tensor
    offsets: Tensor

    def __init__(self, size: int, height: int, width: int) -> None:
        super().__init__()
        if size < 1 or size > max(height, width):
            raise UserError(
                f"A window of {size} × {size} filters makes no sense on an image of {height} × {width} pixels: choose "
                f"a size from 1 to {max(height, width)}."
            )
        self.size, self.height, self.width = size, height, width
        self.unit = (max(height, width) - 1) / max(size - 1, 1)
        self.register_buffer("middle", torch.tensor([width + 1, height + 1]) / 2, persistent=False)
        self.register_buffer("powers", torch.tensor([0.5, 1.0, 1.0]), persistent=False)
        self.register_buffer("offsets", torch.arange(1, size + 1) - size / 2 - 0.5, persistent=False)

    def initial_parameters(self) -> Float[Tensor, "5"]:
        """A window over all of the image whose filters are half as wide as their stride."""
        stride = self.unit if self.size > 1 else max(self.height, self.width)
        return torch.tensor([0.0, 0.0, 2 * math.log(max(stride, 1) / 2), 0.0, 0.0])

    def window(self, parameters: Float[Tensor, "B 5"]) -> Window:
        """The window that a network's five numbers place (equations 21 to 24)."""
        centre, scales = self._placed(parameters)
        (x, y), (sigma, stride, intensity) = centre.unbind(1), scales.unbind(1)
        stride = stride * self.unit
        return Window(x, y, stride, (self.size - 1) * stride + 1, sigma, intensity)

    def _placed(self, parameters: Tensor) -> tuple[Float[Tensor, "B 2"], Float[Tensor, "B 3"]]:
        """Centre, and (σ, δ̃, γ)."""
        place, logs = parameters.split([2, 3], 1)
        return (place + 1) * self.middle, (logs.clamp(-_BOUND, _BOUND) * self.powers).exp()

    def forward(self, parameters: Float[Tensor, "B 5"]) -> tuple[Filters, Float[Tensor, "B"]]:
        """Filters and intensity γ of the window that a network's five numbers place."""
        centre, scales = self._placed(parameters)
        sigma, stride, intensity = scales.unbind(1)
        centres = torch.addcmul(centre.unsqueeze(-1), (stride * self.unit)[:, None, None], self.offsets)
        if self.height == self.width:
            both = filter_bank(centres, sigma.unsqueeze(1).expand(-1, 2), self.width)
            return Filters(both[:, 1], both[:, 0]), intensity
        across, down = centres.unbind(1)
        return Filters(filter_bank(down, sigma, self.height), filter_bank(across, sigma, self.width)), intensity


def read(images: Float[Tensor, "B C H W"], filters: Filters) -> Float[Tensor, "B C N N"]:
    """F_Y x F_Xᵀ for each channel."""
    batch, channels, height, width = images.shape
    # The rows come first, for all channels in one product: the product over columns is slow while it is large.
    side_by_side = images if channels == 1 else images.transpose(1, 2)
    few = filters.rows @ side_by_side.reshape(batch, height, channels * width)
    size = few.shape[1]
    patch = few.view(batch, size * channels, width) @ filters.columns.mT
    return patch.view(batch, size, channels, size).transpose(1, 2)


def write(patch: Float[Tensor, "B C N N"], filters: Filters) -> Float[Tensor, "B C H W"]:
    """F_Yᵀ w F_X for each channel."""
    batch, channels, size, _ = patch.shape
    wide = patch.reshape(batch, channels * size, size) @ filters.columns
    if channels == 1:
        return (filters.rows.mT @ wide).unsqueeze(1)
    return filters.rows.mT.unsqueeze(1) @ wide.unflatten(1, (channels, size))
