"""The attention windows of DRAW: grids of Gaussian filters that read from an image and write on it.

    g_X = (W + 1)/2 (g̃_X + 1),   g_Y = (H + 1)/2 (g̃_Y + 1),   δ = (max(H, W) − 1)/(N − 1) δ̃          (22–24)
    μ_X^i = g_X + (i − N/2 − 0.5) δ,   μ_Y^j = g_Y + (j − N/2 − 0.5) δ                                 (19, 20)
    F_X[i, a] = exp(−(a − μ_X^i)² / 2σ²) / Z_X,   F_Y[j, b] = exp(−(b − μ_Y^j)² / 2σ²) / Z_Y            (25, 26)
    read(x) = γ F_Y x F_Xᵀ,   write(w) = F_Yᵀ w F_X / γ                                                (27, 29)

with i, j = 1 … N for the filters and a = 1 … W, b = 1 … H for the pixels; Z makes each filter sum to one. The five
numbers that a network gives are g̃_X, g̃_Y, log σ², log δ̃ and log γ (21).

A window is placed, read through and written through at every step of a recurrence, and its tensors are small: the
derivatives are written out, for automatic differentiation would take several times as many operations.

References:
    Gregor, Danihelka, Graves, Rezende and Wierstra, DRAW: A recurrent neural network for image generation, 2015,
    section 3.2, whose numbers of equations these are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
# Shares of the exponents that a type of number has. Weights do not go below the first, where they add nothing: products
# of smaller ones would come to the edge of the type's range, where numbers are a hundred times as slow. A filter whose
# weight at the nearest border has an exponent below the second, relative to its middle, is outside of the image.
_LEAST, _OUTSIDE = 0.35, 0.2


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
    """The filters of windows, or the gradient with respect to them."""

    rows: Float[Tensor, "*batch N H"]
    """F_Y."""
    columns: Float[Tensor, "*batch N W"]
    """F_X."""


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
    pixels: Tensor

    def __init__(self, size: int, height: int, width: int) -> None:
        super().__init__()
        if size < 1 or size > max(height, width):
            raise UserError(
                f"A window of {size} × {size} filters makes no sense on an image of {height} × {width} pixels: choose "
                f"a size from 1 to {max(height, width)}."
            )
        self.size, self.height, self.width = size, height, width
        self.unit = (max(height, width) - 1) / max(size - 1, 1)
        offsets = self.unit * (torch.arange(1, size + 1) - size / 2 - 0.5)
        self.register_buffer("middle", torch.tensor([width + 1, height + 1]) / 2, persistent=False)
        self.register_buffer("powers", torch.tensor([0.5, 1.0, 1.0]), persistent=False)
        self.register_buffer("offsets", offsets, persistent=False)
        self.register_buffer("pixels", torch.arange(1.0, max(height, width) + 1), persistent=False)

    def initial_parameters(self, *, writing: bool = False) -> Float[Tensor, "5"]:
        """A window over all of the image whose filters are half as wide as their stride.

        Args:
            writing: Whether it is written through. The N² filters spread what they write over all pixels, and γ makes
                up for it: a patch of ones is one in the mean of the pixels, and not too faint to learn from at first.
        """
        stride = self.unit if self.size > 1 else max(self.height, self.width)
        intensity = self.size**2 / (self.height * self.width) if writing else 1.0
        return torch.tensor([0.0, 0.0, 2 * math.log(max(stride, 1) / 2), 0.0, math.log(intensity)])

    def window(self, numbers: Float[Tensor, "B 5"]) -> Window:
        """The window that a network's five numbers place (equations 21 to 24)."""
        (x, y), (sigma, stride, intensity) = (part.unbind(1) for part in self.scaled(numbers))
        stride = stride * self.unit
        return Window(x, y, stride, (self.size - 1) * stride + 1, sigma, intensity)

    def scaled(self, numbers: Float[Tensor, "B 5"]) -> tuple[Float[Tensor, "B 2"], Float[Tensor, "B 3"]]:
        """Centre, and (σ, δ̃, γ)."""
        return (numbers[:, :2] + 1) * self.middle, (numbers[:, 2:].clamp(-_BOUND, _BOUND) * self.powers).exp()

    def forward(self, numbers: Float[Tensor, "B 5"]) -> tuple[Filters, Float[Tensor, "B"]]:
        """Filters and intensity γ of the window that a network's five numbers place."""
        rows, columns, intensity = _Place.apply(numbers, self)  # pyright: ignore[reportGeneralTypeIssues]
        return Filters(rows, columns), intensity


class Placed(NamedTuple):
    """A window of each image, and what its derivative needs."""

    filters: Filters
    precision: Float[Tensor, "B"]
    """1/σ²."""
    stride: Float[Tensor, "B"]
    """δ̃."""
    intensity: Float[Tensor, "B"]
    """γ."""
    within: Float[Tensor, "B 3"]
    """1 where a logarithm was in its bounds, 0 where it was not."""
    centres: Float[Tensor, "B 2 N"]
    """μ_X and μ_Y."""

    def gradient(
        self, attention: Attention, of_filters: Filters, of_intensity: Float[Tensor, "B"]
    ) -> Float[Tensor, "B 5"]:
        """From the gradient with respect to filters and intensity to that with respect to the numbers."""
        of_centres, of_precision = [], 0.0
        for axis, of_bank in ((0, of_filters.columns), (1, of_filters.rows)):
            bank = self.filters[1 - axis]
            offset, lag = _relative(self.centres[:, axis], attention.pixels[: bank.shape[2]])
            of_exponent = of_bank * bank
            of_exponent = of_exponent - bank * of_exponent.sum(2, keepdim=True)
            first = of_exponent * offset
            along, second = first.sum(2), (first * offset).sum(2)
            of_precision = of_precision - 0.5 * (second + 2 * lag * along).sum(1)
            of_centres.append(along * self.precision.unsqueeze(1))
        of_centre = torch.stack([each.sum(1) for each in of_centres], 1)
        of_stride = ((of_centres[0] + of_centres[1]) * attention.offsets).sum(1)
        of_logs = [-self.precision * of_precision, of_stride * self.stride, of_intensity * self.intensity]
        return torch.cat([of_centre * attention.middle, torch.stack(of_logs, 1) * self.within], 1)


def place(attention: Attention, numbers: Float[Tensor, "B 5"]) -> Placed:
    """Place a window on each image.

    The exponent of each filter is taken relative to that of the pixel nearest to its mean, so that Z is at least one
    and a filter between two pixels is not lost, however narrow it is. A filter outside of the image is zero.
    """
    centre, scales = attention.scaled(numbers)
    sigma, stride, intensity = scales.unbind(1)
    precision = sigma.pow(-2)
    centres = centre.unsqueeze(2) + stride[:, None, None] * attention.offsets
    lowest = math.log(torch.finfo(numbers.dtype).tiny)
    banks = []
    for axis, length in ((0, attention.width), (1, attention.height)):
        offset, lag = _relative(centres[:, axis], attention.pixels[:length])
        # (a − μ)² − (n − μ)² = (a − n) (a − n + 2 (n − μ))
        exponent = offset * (offset + 2 * lag.unsqueeze(2)) * (-0.5 * precision[:, None, None])
        weights = exponent.clamp(min=_LEAST * lowest).exp()
        beyond = (lag.abs() - 0.5).clamp(min=0).square() * precision.unsqueeze(1) > -2 * _OUTSIDE * lowest
        banks.append(weights / weights.sum(2).masked_fill(beyond, math.inf).unsqueeze(2))
    within = (numbers[:, 2:].abs() <= _BOUND).to(numbers.dtype)
    return Placed(Filters(banks[1], banks[0]), precision, stride, intensity, within, centres)


def _relative(
    centres: Float[Tensor, "B N"], pixels: Float[Tensor, "L"]
) -> tuple[Float[Tensor, "B N L"], Float[Tensor, "B N"]]:
    """Pixels relative to the one that is nearest to a filter's mean, and how far that is from the mean."""
    nearest = centres.round().clamp(1, len(pixels))
    return pixels - nearest.unsqueeze(2), nearest - centres


class _Place(torch.autograd.Function):
    """`place` for automatic differentiation."""

    @staticmethod
    def forward(ctx: Any, numbers: Tensor, attention: Attention) -> tuple[Tensor, Tensor, Tensor]:
        ctx.attention, ctx.placed = attention, place(attention, numbers.detach())
        # The results must not be the tensors that the context keeps, lest each keep the other alive.
        rows, columns = ctx.placed.filters
        return rows.detach(), columns.detach(), ctx.placed.intensity.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        of_rows, of_columns, of_intensity = gradients
        return ctx.placed.gradient(ctx.attention, Filters(of_rows, of_columns), of_intensity), None


def sheet(images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B H CW"]:
    """The rows of all channels side by side, so that one product serves for all of them."""
    return images.transpose(1, 2).flatten(2)


def read(images: Float[Tensor, "B C H W"], filters: Filters) -> Float[Tensor, "B C N N"]:
    """F_Y x F_Xᵀ for each channel."""
    few = filters.rows @ sheet(images)
    return (few.unflatten(2, images.shape[1::2]) @ filters.columns.mT.unsqueeze(1)).transpose(1, 2)


def write(patch: Float[Tensor, "B C N N"], filters: Filters) -> Float[Tensor, "B C H W"]:
    """F_Yᵀ w F_X for each channel."""
    wide = patch.transpose(1, 2) @ filters.columns.unsqueeze(1)
    return (filters.rows.mT @ wide.flatten(2)).unflatten(2, wide.shape[2:]).transpose(1, 2)


class Glimpse(NamedTuple):
    """What was read through a window, and what the derivative needs."""

    features: Float[Tensor, "B F"]
    """γ F_Y x F_Xᵀ of several images in a row, flat. The entries of an image are those of the window's rows, in each of
    them of the channels, and in each of these of its columns."""
    placed: Placed
    few: Float[Tensor, "B M W"]
    """The images, filtered along their columns."""
    patches: Float[Tensor, "B M N"]
    """What was read before its intensity."""

    def gradient(
        self,
        attention: Attention,
        sheets: Sequence[Float[Tensor, "B H CW"]],
        of_features: Float[Tensor, "B F"],
        skip: int = 0,
    ) -> tuple[Float[Tensor, "B 5"], list[Float[Tensor, "B H CW"]]]:
        """From the gradient with respect to the features to those with respect to the numbers and the images.

        The first images may be skipped, where they have no gradient.
        """
        (rows, columns), gamma = self.placed.filters, self.placed.intensity[:, None, None]
        size = attention.size
        of_read = of_features.reshape(len(rows), -1, size)
        of_patches = of_read * gamma
        wide = (of_patches @ columns).view(len(rows), len(sheets) * size, -1).split(size, 1)
        of_rows = wide[0] @ sheets[0].mT
        for part, each in zip(wide[1:], sheets[1:], strict=True):
            of_rows = of_rows + part @ each.mT
        of_intensity = (of_read * self.patches).sum((1, 2))
        of_filters = Filters(of_rows, of_patches.mT @ self.few)
        return self.placed.gradient(attention, of_filters, of_intensity), [rows.mT @ part for part in wide[skip:]]


def window_read(
    attention: Attention, numbers: Float[Tensor, "B 5"], sheets: Sequence[Float[Tensor, "B H CW"]]
) -> Glimpse:
    """Read from several images (equation 27)."""
    placed = place(attention, numbers)
    rows, columns = placed.filters
    few = torch.cat([rows @ each for each in sheets], 1).view(len(rows), -1, attention.width)
    patches = few @ columns.mT
    return Glimpse((patches * placed.intensity[:, None, None]).flatten(1), placed, few, patches)


class Stroke(NamedTuple):
    """What was written through a window, and what the derivative needs."""

    change: Float[Tensor, "B H CW"]
    """F_Yᵀ w F_X / γ, as a sheet; the entries of the patch w are in the order of a glimpse's features."""
    placed: Placed
    scaled: Float[Tensor, "B M N"]
    """w / γ."""
    wide: Float[Tensor, "B N CW"]
    """The patch, filtered along its rows."""

    def gradient(
        self, attention: Attention, of_change: Float[Tensor, "B H CW"]
    ) -> tuple[Float[Tensor, "B 5"], Float[Tensor, "B F"]]:
        """From the gradient with respect to the change to those with respect to the numbers and the patch."""
        (rows, columns), gamma = self.placed.filters, self.placed.intensity[:, None, None]
        few = (rows @ of_change).view(len(rows), -1, attention.width)
        of_patch = few @ columns.mT / gamma
        of_filters = Filters(self.wide @ of_change.mT, self.scaled.mT @ few)
        of_intensity = -(of_patch * self.scaled).sum((1, 2))
        return self.placed.gradient(attention, of_filters, of_intensity), of_patch.flatten(1)


def window_write(attention: Attention, numbers: Float[Tensor, "B 5"], patch: Float[Tensor, "B F"]) -> Stroke:
    """Write on an image (equation 29)."""
    placed = place(attention, numbers)
    rows, columns = placed.filters
    scaled = patch.reshape(len(rows), -1, attention.size) / placed.intensity[:, None, None]
    wide = (scaled @ columns).view(len(rows), attention.size, -1)
    return Stroke(rows.mT @ wide, placed, scaled, wide)
