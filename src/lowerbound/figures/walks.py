"""Walks through the latent space: along one dimension after the other, and from one datum to another.

References:
    Higgins et al., β-VAE: Learning basic visual concepts with a constrained variational framework, 2017, figure 1.
    White, Sampling generative networks, 2016 (great circles, for codes on a sphere).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from lowerbound.figures.canvas import LABEL, TICK, dress, new_axes, show_pixels, unit_range
from lowerbound.figures.rows import draw_bands, key
from lowerbound.figures.tiling import tile
from lowerbound.figures.vectors import check, moments

Decoder = Callable[[np.ndarray], np.ndarray]
"""From codes [N, D] to data, [N, C, H, W] or [N, columns]."""
Space = Literal["real", "sphere"]
"""Where codes live: a walk goes straight, or along a great circle."""

# The quantiles of the data's codes between which a dimension is walked through.
_ENDS = (0.01, 0.99)
# The brightest part of the scale cannot be seen on white.
_DARKER = 0.88


def traversals(
    decode: Decoder,
    codes: np.ndarray,
    dimensions: Sequence[int],
    *,
    names: Sequence[str] | None = None,
    steps: int = 11,
    space: Space = "real",
    columns: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """What each latent dimension changes: a row for each, in which it moves and the others stay.

    A walk goes through a dimension from where 1 % of the codes lie below to where 1 % lie above, in even steps. The
    others stay where the datum has them whose code is nearest to the mean of all codes.

    Args:
        decode: From codes to the means of p(x | z).
        codes: Of data, [N, D].
        dimensions: Which to walk along, from the top down.
        names: What the rows are called; None: by their dimension, counted from 1.
        steps: Data in each row.
        space: "real", or "sphere": there, what a dimension takes the others give.
        columns: For vectors, names of the columns.
        limits: For images, what is black and what is white; None: 0 and 255 for integers, 0 and 1 for the rest.
        ax: Where to draw; None: on a new figure.

    Raises:
        ValueError: No codes, no dimensions or one that there is not, another number of names, fewer than two steps, or
            another space.
    """
    _check_walk(codes, steps, space)
    if len(dimensions) == 0 or not all(0 <= d < codes.shape[1] for d in dimensions):
        raise ValueError(f"Dimensions are numbers from 0 to {codes.shape[1] - 1}, not {list(dimensions)}.")
    names = [f"$z_{{{d + 1}}}$" for d in dimensions] if names is None else list(names)
    if len(names) != len(dimensions):
        raise ValueError(f"There are {len(dimensions)} dimensions and {len(names)} names for them.")
    start = _nearest_to_mean(codes)
    low, high = np.quantile(codes[:, list(dimensions)], _ENDS, axis=0)
    walks = np.stack(
        [_along(start, d, np.linspace(a, b, steps), space) for d, a, b in zip(dimensions, low, high, strict=True)]
    )
    walked = _decoded(decode, walks)
    if walked.ndim == 3:
        return _fans(walked, names, ("low", "high"), columns, ax)
    images = unit_range(walked.reshape(-1, *walked.shape[2:]), limits)
    ax = show_pixels(tile(images, steps, gap=1), ax, left=0.8, bottom=0.4)
    _name_rows(ax, names, images.shape[2] + 1)
    width = images.shape[3] + 1
    ax.set_xticks([(width - 2) / 2, (steps - 0.5) * width - 1], [f"{end:.0%}" for end in _ENDS], fontsize=TICK)
    ax.set_xlabel("quantile of the codes", fontsize=LABEL, labelpad=-6)
    return ax


def interpolation(
    decode: Decoder,
    codes: np.ndarray,
    data: np.ndarray,
    *,
    steps: int = 9,
    space: Space = "real",
    columns: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """What lies between two data: the decoded points on the way from the code of the one to that of the other.

    Args:
        decode: From codes to the means of p(x | z).
        codes: Of the two data of each row, [R, 2, D].
        data: The two themselves, [R, 2, C, H, W], which stand at the ends of their row, or [R, 2, columns].
        steps: Codes on each way, its ends among them.
        space: "real", or "sphere": there the way is a great circle.
        columns: For vectors, names of the columns.
        limits: For images, what is black and what is white; None: 0 and 255 for integers, 0 and 1 for the rest.
        ax: Where to draw; None: on a new figure.

    Raises:
        ValueError: Not two of each, fewer than two steps, or another space.
    """
    if codes.ndim != 3 or codes.shape[1] != 2 or data.shape[:2] != codes.shape[:2]:
        raise ValueError(f"Codes have the shape [R, 2, D] and data [R, 2, …], not {codes.shape} and {data.shape}.")
    _check_walk(codes.reshape(-1, codes.shape[-1]), steps, space)
    walked = _decoded(decode, np.stack([_between(a, b, steps, space) for a, b in codes]))
    if walked.ndim == 3:
        names = [f"pair {row + 1}" for row in range(len(codes))]
        return _fans(walked, names, ("one datum", "the other"), columns, ax)
    ends = [unit_range(data[:, end], limits) for end in (0, 1)]
    walk = unit_range(walked.reshape(-1, *walked.shape[2:]), limits)
    width = walk.shape[3]
    pieces = [tile(ends[0], 1, gap=1), tile(walk, steps, gap=1), tile(ends[1], 1, gap=1)]
    space_between = max(2, width // 4)
    beside = [(0, 0), (0, space_between), (0, 0)][: pieces[0].ndim]
    sheet = np.concatenate([*(np.pad(piece, beside, constant_values=1) for piece in pieces[:2]), pieces[2]], axis=1)
    ax = show_pixels(sheet, ax, bottom=0.3)
    right = sheet.shape[1] - 0.5
    words = "one datum", "decoded on the way between their codes", "the other"
    ax.set_xticks([-0.5, (right - 0.5) / 2, right], words, fontsize=TICK)
    # Flush with the picture's edges, beyond which a figure of its own has no room.
    for label, side in zip(ax.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)
    ax.tick_params(length=0, pad=3)
    return ax


def _check_walk(codes: np.ndarray, steps: int, space: str) -> None:
    if codes.ndim != 2 or 0 in codes.shape:
        raise ValueError(f"Codes have the shape [N, D], not {list(codes.shape)}.")
    if steps < 2:
        raise ValueError(f"A walk has at least its two ends, not {steps} steps.")
    if space not in get_args(Space):
        raise ValueError(f"A walk goes through codes that are real or on the sphere, not {space!r}.")


def _nearest_to_mean(codes: np.ndarray) -> np.ndarray:
    """The code that is nearest to the mean, in standard deviations."""
    centre, spread = moments(codes)
    return codes[np.argmin((((codes - centre) / spread) ** 2).sum(1))]


def _along(start: np.ndarray, dimension: int, values: np.ndarray, space: str) -> np.ndarray:
    """Codes [S, D] that have these values in one dimension."""
    walk = np.repeat(start[None], len(values), 0)
    walk[:, dimension] = values
    if space == "sphere":
        rest = np.delete(start, dimension)
        length = np.sqrt(np.clip(1 - values**2, 0, None)) / max(float(np.linalg.norm(rest)), 1e-12)
        others = np.arange(len(start)) != dimension
        walk[:, others] = length[:, None] * rest
    return walk


def _between(one: np.ndarray, other: np.ndarray, steps: int, space: str) -> np.ndarray:
    """Codes [S, D] from one to the other."""
    share = np.linspace(0, 1, steps, dtype=one.dtype)[:, None]
    if space == "real":
        return (1 - share) * one + share * other
    one, other = one / np.linalg.norm(one), other / np.linalg.norm(other)
    angle = np.arccos(np.clip(one @ other, -1, 1))
    if np.sin(angle) < 1e-6:  # the same direction, or opposite ones, between which no way is the shortest
        return (1 - share) * one + share * other
    return (np.sin((1 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(angle)


def _decoded(decode: Decoder, walks: np.ndarray) -> np.ndarray:
    """Data at codes [R, S, D]: [R, S, *event]."""
    rows, steps = walks.shape[:2]
    values = decode(walks.reshape(rows * steps, -1))
    return values.reshape(rows, steps, *values.shape[1:])


def _name_rows(ax: Axes, names: Sequence[str], height: int) -> None:
    ax.set_yticks([row * height + (height - 2) / 2 for row in range(len(names))], names, fontsize=TICK)
    ax.tick_params(length=0, pad=3)


def _fans(
    walked: np.ndarray, names: Sequence[str], ends: tuple[str, str], columns: Sequence[str] | None, ax: Axes | None
) -> Axes:
    """Vectors [R, S, columns] as curves, each row in a band of its own, from dark to bright."""
    rows, steps, width = walked.shape
    flat = walked.reshape(-1, width)
    check(flat, columns)
    if ax is None:
        ax = new_axes(min(9.0, 4.0 + 0.3 * width), 1.2 + 0.7 * rows)
    centre, spread = moments(flat)
    colors = [to_hex(color) for color in matplotlib.colormaps["cividis"](np.linspace(0, _DARKER, steps))]
    dress(ax)
    bases = draw_bands(ax, (walked - centre) / spread, colors, columns)
    ax.set_yticks(bases, names, fontsize=TICK)
    ax.tick_params(axis="y", length=0)
    key(ax, [(ends[0], colors[0]), (ends[1], colors[-1])])
    return ax
