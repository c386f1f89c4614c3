"""What all figures share: colours, axes, images at whole multiples of their size, and saving.

Nothing here or elsewhere in this package touches pyplot, so that no window opens and no global state changes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lowerbound.errors import UserError
from lowerbound.files import atomic_write

ENDINGS = (".png", ".svg", ".pdf")

# Okabe and Ito, Color universal design, 2008: told apart whatever one's colour vision.
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
OKABE_ITO = (BLUE, ORANGE, GREEN, VERMILLION, "#56B4E9", "#CC79A7", "#F0E442", "#000000")
# Petroff, Accessible color sequences for data visualization, 2021: the same for ten classes.
PETROFF = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
GREY = "#8C8C8C"

LABEL, TICK = 9, 8
_DPI = 200
# A picture of images is enlarged to about this many pixels.
_PICTURE = 1200


def new_axes(width: float, height: float) -> Axes:
    """The one axis of a new figure, sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    return figure.add_subplot()


def dress(ax: Axes, xlabel: str = "", ylabel: str = "") -> None:
    """Labels, and no more of a frame than what carries the scales."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=TICK)
    ax.set_xlabel(xlabel, fontsize=LABEL)
    ax.set_ylabel(ylabel, fontsize=LABEL)


def plain(text: str) -> str:
    """A text from data, in which a dollar sign begins no formula."""
    return text.replace("$", r"\$")


def unit_range(images: np.ndarray, limits: tuple[float, float] | None) -> np.ndarray:
    """Images between 0 and 1, in float32, with a number of channels that can be shown.

    Args:
        images: [N, C, H, W].
        limits: What is black and what is white; None: 0 and 255 for integers, 0 and 1 for the rest.

    Raises:
        ValueError: They are no images.
    """
    if images.ndim != 4:
        raise ValueError(f"Images have the shape [N, C, H, W], not {list(images.shape)}.")
    low, high = limits or (0, 255 if np.issubdtype(images.dtype, np.integer) else 1)
    scaled = np.clip((images.astype(np.float32) - low) / (high - low), 0, 1)
    return scaled if images.shape[1] in (1, 3) else scaled.mean(1, keepdims=True)


def show_pixels(picture: np.ndarray, ax: Axes | None, *, left: float = 0, bottom: float = 0) -> Axes:
    """Draw a picture without interpolation; on a figure of its own, each pixel is a whole number of pixels wide.

    Args:
        picture: [H, W] or [H, W, 3], between 0 and 1.
        ax: Where to; None: on a new figure that has just its size.
        left: Inches that a new figure keeps free for text.
        bottom: The same below.
    """
    height, width = picture.shape[:2]
    if ax is None:
        zoom = max(1, _PICTURE // max(height, width))
        x, y = round(left * _DPI), round(bottom * _DPI)
        whole = width * zoom + x, height * zoom + y
        figure = Figure(figsize=(whole[0] / _DPI, whole[1] / _DPI), dpi=_DPI)
        box = (x / whole[0], y / whole[1], width * zoom / whole[0], height * zoom / whole[1])
        ax = figure.add_axes(box)
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.spines[:].set_visible(False)
    ax.set(xticks=[], yticks=[])
    return ax


def save(drawn: Axes | Figure, path: str | Path) -> Path:
    """Write a figure as `.png`, `.svg` or `.pdf`; nothing half-written is ever found at the path.

    Args:
        drawn: The figure, or an axis of it.
        path: Where to; the ending says in which form.

    Raises:
        UserError: Another ending, or a path that cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise UserError(
            f"{path} must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}: the ending says what is written."
        )
    figure: Figure | SubFigure | None = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    assert isinstance(figure, Figure)
    with atomic_write(path) as file:
        figure.savefig(file, format=path.suffix[1:].lower(), dpi=figure.dpi)
    return path
