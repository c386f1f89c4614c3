"""The latent space in the plane.

References:
    Kingma and Welling, Auto-encoding variational Bayes, 2013, figure 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from torch import Tensor

from lowerbound.figures.canvas import (
    BLUE,
    LABEL,
    OKABE_ITO,
    PETROFF,
    TICK,
    dress,
    new_axes,
    plain,
    show_pixels,
    unit_range,
)
from lowerbound.figures.tiling import tile
from lowerbound.models import LatentModel

# Pixels in each direction below which the strokes of neighbouring images would touch.
_SMALL = 16
# Shares of red, green and blue in the luminance (Rec. 709), and the luminance from which on black is told more easily.
_LUMINANCE, _BLACK_ON = (0.2126, 0.7152, 0.0722), 0.5


def manifold(
    model: LatentModel,
    grid: int = 20,
    *,
    restore: Callable[[Tensor], Tensor] | None = None,
    limits: tuple[float, float] | None = None,
    device: torch.device | str = "cpu",
    ax: Axes | None = None,
) -> Axes:
    """The images that a two-dimensional latent space holds, where its prior has its mass.

    The probabilities (i + ½) / grid in each direction go through the inverse CDF of the normal distribution to a grid
    of z, and each z is decoded to its mean. The first coordinate grows to the right, the second upwards.

    Args:
        model: A model of images with two latent variables and a standard normal prior, in evaluation mode.
        grid: Images in each direction.
        restore: From what the model sees to the data's own units; None: they are the same.
        limits: What is black and what is white; None: 0 and 1.
        device: Where the model is.
        ax: Where to draw; None: on a new figure.

    Raises:
        ValueError: A grid without points, or a model whose data are not images.
    """
    if grid < 1:
        raise ValueError(f"A manifold needs at least one image in each direction, not {grid}.")
    with torch.inference_mode():
        z = latent_grid(grid).to(device)
        images = model.decode(z).mean
        pixels = unit_range((images if restore is None else restore(images)).cpu().numpy(), limits)
    height, width = pixels.shape[-2:]
    gap = 1 if min(height, width) < _SMALL else 0
    ax = show_pixels(tile(pixels, grid, gap=gap, background=0), ax, left=0.45, bottom=0.35)
    height, width = height + gap, width + gap
    ends = (0, grid - 1)
    names = [f"{z[i, 0].item():+.2f}".replace("-", "−") for i in ends]
    ax.set_xticks([i * width + (width - 1) / 2 for i in ends], names, fontsize=TICK)
    ax.set_yticks([(grid - 1 - i) * height + (height - 1) / 2 for i in ends], names, fontsize=TICK, rotation=90)
    # Flush with the picture's edges, beyond which a figure of its own has no room.
    for label, side in zip(ax.get_xticklabels(), ("left", "right"), strict=True):
        label.set_horizontalalignment(side)
    for label, side in zip(ax.get_yticklabels(), ("bottom", "top"), strict=True):
        label.set_verticalalignment(side)
    ax.tick_params(length=0, pad=3)
    ax.set_xlabel("$z_1$", fontsize=LABEL, labelpad=-8)
    ax.set_ylabel("$z_2$", fontsize=LABEL, labelpad=-8)
    return ax


def latent_grid(grid: int) -> Tensor:
    """Points z [grid², 2], in the order of `manifold`'s images: row by row, the highest second coordinate first."""
    line = torch.special.ndtri((torch.arange(grid) + 0.5) / grid)
    second, first = torch.meshgrid(line.flip(0), line, indexing="ij")
    return torch.stack([first, second], -1).reshape(-1, 2)


def latent_scatter(
    codes: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    label_names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The codes of data in the latent space, or in the plane of their first two principal components.

    Args:
        codes: [N, D], D at least two; of more than two dimensions the principal components are drawn, and their shares
            of the variance are given.
        labels: Class of each datum, [N]; up to ten classes get colours of their own, and each bears its name. More
            than that are numbers on a scale.
        label_names: What the labels 0, 1, … are called; None: by their numbers.
        ax: Where to draw; None: on a new figure.

    Raises:
        ValueError: No codes, codes of fewer than two dimensions, or another number of labels.
    """
    if codes.ndim != 2 or codes.shape[1] < 2 or len(codes) == 0:
        raise ValueError(f"Codes have the shape [N, D] with D at least 2, not {list(codes.shape)}.")
    if labels is not None and labels.shape != codes.shape[:1]:
        raise ValueError(f"There are {len(codes)} codes and {len(labels)} labels.")
    names = "$z_1$", "$z_2$"
    if codes.shape[1] > 2:
        codes, shares = principal_components(codes)
        names = [f"component {i + 1} ({share:.0%})" for i, share in enumerate(shares)]
    if ax is None:
        width, height = np.ptp(codes, axis=0)
        ax = new_axes(5.0, 5.0 * float(np.clip(height / max(width, 1e-9), 0.4, 1.5)))
    style = {"s": float(np.clip(20_000 / len(codes), 1.5, 14)), "linewidths": 0, "alpha": 0.7, "rasterized": True}
    if labels is None:
        ax.scatter(*codes.T, color=BLUE, **style)
    else:
        classes, index = np.unique(labels, return_inverse=True)
        if len(classes) <= len(PETROFF):
            palette = OKABE_ITO if len(classes) <= len(OKABE_ITO) else PETROFF
            # In one call and in the order of the data, lest the last class cover the others.
            ax.scatter(*codes.T, color=np.array(palette)[index], **style)
            called = [label if label_names is None else label_names[label] for label in classes]
            for name, place, color in zip(called, _places(codes, index), palette, strict=False):
                _name(ax, plain(str(name)), place, color)
        else:
            points = ax.scatter(*codes.T, c=labels, cmap="viridis", **style)
            ax.figure.colorbar(points, ax=ax, shrink=0.7).ax.tick_params(labelsize=TICK)
    # The limits give way and not the box: where one dimension has collapsed, a box would have no height left.
    ax.set_aspect("equal", adjustable="datalim")
    dress(ax, *names)
    return ax


def principal_components(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first two principal components of codes [N, D], [N, 2], and their shares of the variance, [2].

    The sign of each is such that its largest entry in size is positive.
    """
    centred = (codes - codes.mean(0)).astype(np.float64)
    if centred.shape[1] <= centred.shape[0]:
        scores = centred @ np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1]
    else:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        scores = vectors[:, :-3:-1] * np.sqrt(np.clip(values[:-3:-1], 0, None))
    largest = scores[np.abs(scores).argmax(0), (0, 1)]
    return scores * np.where(largest < 0, -1, 1), scores.var(0) / max(centred.var(0).sum(), 1e-12)


def _name(ax: Axes, text: str, place: tuple[float, float], color: str) -> None:
    """The name of a class on a plate of its colour, in black or white, whichever is told from it more easily."""
    dark = float(np.dot(to_rgb(color), _LUMINANCE)) < _BLACK_ON
    ax.text(
        *place,
        text,
        fontsize=LABEL,
        fontweight="bold",
        color="white" if dark else "black",
        ha="center",
        va="center",
        bbox={"boxstyle": "round,pad=0.2", "facecolor": color, "edgecolor": "white", "linewidth": 1.2},
    )


def _places(codes: np.ndarray, index: np.ndarray) -> list[tuple[float, float]]:
    """For each class the middle of its points in one cell of a grid, where it has many points and few of others."""
    bins = max(2, round(len(codes) ** (1 / 3)))
    low, size = codes.min(0), np.maximum(np.ptp(codes, axis=0), 1e-9) / bins
    cell = np.minimum((codes - low) / size, bins - 1).astype(int) @ (bins, 1)
    everything = np.bincount(cell, minlength=bins**2)
    places = []
    for i in range(index.max() + 1):
        own = np.bincount(cell[index == i], minlength=bins**2)
        chosen = np.argmax(own**2 / np.maximum(everything, 1))
        x, y = codes[(index == i) & (cell == chosen)].mean(0)
        places.append((float(x), float(y)))
    return places
