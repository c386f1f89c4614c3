"""What a model makes: draws from it, and data that went through it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from lowerbound.figures.canvas import TICK, show_pixels, unit_range
from lowerbound.figures.tiling import tile
from lowerbound.figures.vectors import distributions, overlaid

# Images in a row, where each stands above its reconstruction.
_ACROSS = 10


def samples(
    drawn: np.ndarray,
    data: np.ndarray | None = None,
    *,
    columns: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draws from a model.

    Images are laid out on a sheet. Of vectors the distribution of every column is shown, over that of the data.

    Args:
        drawn: [N, C, H, W] or [N, D].
        data: For vectors, data to compare with, [M, D].
        columns: For vectors, names of the D columns.
        limits: For images, what is black and what is white; None: 0 and 255 for integers, 0 and 1 for the rest.
        ax: Where to draw; None: on a new figure.

    Raises:
        ValueError: Neither images nor vectors.
    """
    if drawn.ndim == 2:
        return distributions(drawn, data, columns=columns, ax=ax)
    return show_pixels(tile(unit_range(drawn, limits), gap=1), ax)


def reconstructions(
    originals: np.ndarray,
    reconstructed: np.ndarray,
    *,
    columns: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Data, and what is left of it after encoding and decoding.

    Under each row of images stands the row of their reconstructions. Vectors are drawn as curves over their columns,
    in standard deviations, each datum in a band of its own.

    Args:
        originals: [N, C, H, W] or [N, D]; of vectors the first eight are drawn, and the scale is taken from all.
        reconstructed: The same data in the same order, of the same shape.
        columns: For vectors, names of the D columns.
        limits: For images, what is black and what is white; None: 0 and 255 for integers, 0 and 1 for the rest.
        ax: Where to draw; None: on a new figure.

    Raises:
        ValueError: Different shapes, or neither images nor vectors.
    """
    if originals.shape != reconstructed.shape:
        raise ValueError(f"Originals {originals.shape} and reconstructions {reconstructed.shape} differ in shape.")
    if originals.ndim == 2:
        return overlaid(originals, reconstructed, columns=columns, ax=ax)
    pair = unit_range(originals, limits), unit_range(reconstructed, limits)
    count, height = len(originals), originals.shape[2]
    across = min(count, _ACROSS)
    bands = [
        _above(1, [tile(images[start : start + across], across, gap=1) for images in pair])
        for start in range(0, count, across)
    ]
    space = max(2, height // 4)
    sheet = _above(space, bands)
    ax = show_pixels(sheet, ax, left=1.0)
    tops = [start + half for start in range(0, len(sheet), 2 * height + 1 + space) for half in (0, height + 1)]
    ax.set_yticks([top + (height - 1) / 2 for top in tops], ["original", "reconstruction"] * len(bands), fontsize=TICK)
    ax.tick_params(length=0)
    return ax


def _above(space: int, sheets: Sequence[np.ndarray]) -> np.ndarray:
    """One sheet above the other, with white between them."""
    below = [(0, space), *[(0, 0)] * (sheets[0].ndim - 1)]
    return np.concatenate([*(np.pad(sheet, below, constant_values=1) for sheet in sheets[:-1]), sheets[-1]])
