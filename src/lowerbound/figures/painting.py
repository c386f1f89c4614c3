"""How a model that paints in steps does it: a contact sheet of the steps, and an animation.

The windows are rectangles around the pixels that they cover. Their lines are the wider the narrower the filters are: as
1/σ, the square root of the precision, up to a whole pixel of the image for filters of σ ≤ 1.

References:
    Gregor, Danihelka, Graves, Rezende and Wierstra, DRAW: A recurrent neural network for image generation, 2015,
    figures 1 and 7.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from PIL import Image

from lowerbound.errors import UserError
from lowerbound.figures.canvas import LABEL, TICK, VERMILLION, show_pixels, unit_range
from lowerbound.figures.tiling import tile
from lowerbound.files import atomic_write
from lowerbound.outputs import ANIMATIONS

if TYPE_CHECKING:
    from lowerbound.nn.attention import Window
    from lowerbound.trained import Painted

READ, WRITE = "#56B4E9", VERMILLION
"""Colours of the windows."""

# Steps that are shown side by side, if there are more.
_COLUMNS = 12
# Pixels of the whole picture, about, and of an animation; a pixel of an image has at least _LEAST.
_SHEET, _ANIMATION, _LEAST = 1800, 640, 2
# A window may reach out of the image by one in so many of its pixels before it is cut off.
_MARGIN = 14
# Milliseconds that a painting takes, that each step takes at least and at most, and that the finished one stands.
_PAINTING, _SHORTEST, _LONGEST, _FINISHED = 4000, 50, 300, 2000
# Colours of a GIF that the images have for themselves, beside those of the windows.
_COLOURS = 254


def painting_sheet(
    painted: Painted,
    originals: np.ndarray | None = None,
    *,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A contact sheet: a row for each image, and a column for each step, with the windows of the step.

    Args:
        painted: Of images, [N, T, C, H, W]; of many steps some are shown, the first and the last among them.
        originals: Of reconstructions, the images themselves [N, C, H, W], which come first in each row.
        limits: What is black and what is white; None: 0 and 255 for integers, 0 and 1 for the rest.
        ax: Where to draw; None: on a new figure.

    Raises:
        ValueError: They are no images, or there are as many originals as there are not paintings.
    """
    count, steps, *_, height, width = _checked(painted, originals).shape
    shown = np.unique(np.linspace(0, steps - 1, min(steps, _COLUMNS)).round().astype(int))
    columns = len(shown) + (originals is not None)
    margin = _margin(height, width)
    zoom = _zoom(columns * (width + 2 * margin), _SHEET)
    cells = [] if originals is None else [_cells(unit_range(originals, limits), [], zoom)]
    cells += [_cells(*_step(painted, step, limits), zoom) for step in shown]
    sheet = tile(np.stack(cells, 1).reshape(count * columns, *cells[0].shape[1:]), columns)
    ax = show_pixels(sheet, ax, bottom=0.4)
    names = [*([] if originals is None else ["original"]), *(str(step + 1) for step in shown)]
    cell = cells[0].shape[-1]
    ax.set_xticks([(i + 0.5) * cell - 0.5 for i in range(columns)], names, fontsize=TICK)
    ax.tick_params(length=0, pad=2)
    ax.set_xlabel("step", fontsize=LABEL, labelpad=0)
    named = [("written through", WRITE, painted.write), ("read through", READ, painted.read)]
    for i, (name, colour) in enumerate((name, colour) for name, colour, window in named if window is not None):
        offset = (-4 - 80 * i, -13)
        ax.annotate(
            name, (1, 0), offset, "axes fraction", "offset points", fontsize=LABEL, color=colour, ha="right", va="top"
        )
    return ax


def animate(
    painted: Painted,
    path: str | Path,
    originals: np.ndarray | None = None,
    *,
    limits: tuple[float, float] | None = None,
) -> Path:
    """Write an animation of all images side by side: a frame for each step with its windows, and the finished images.

    Args:
        painted: Of images, [N, T, C, H, W].
        path: Where to, as `.gif` or `.apng`; nothing half-written is ever found there.
        originals: Of reconstructions, the images themselves [N, C, H, W], to the left of each painting.
        limits: What is black and what is white; None: 0 and 255 for integers, 0 and 1 for the rest.

    Raises:
        UserError: Another ending, or a path that cannot be written.
        ValueError: They are no images, or there are as many originals as there are not paintings.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in ANIMATIONS:
        raise UserError(f"{path} must end in {' or '.join(ANIMATIONS)}: the ending says what is written.")
    count, steps, *_, height, width = _checked(painted, originals).shape
    margin = _margin(height, width)
    across = (width + 2 * margin) * (1 if originals is None else 2)
    zoom = _zoom(math.ceil(math.sqrt(count)) * across, _ANIMATION)
    beside = [] if originals is None else [_cells(unit_range(originals, limits), [], zoom)]

    def frame(images: np.ndarray, windows: Sequence[_Coloured]) -> Image.Image:
        return Image.fromarray(tile(np.concatenate([*beside, _cells(images, windows, zoom)], 3)))

    frames = [frame(*_step(painted, step, limits)) for step in range(steps)]
    frames.append(frame(_step(painted, steps - 1, limits)[0], []))
    if ending == ".gif":
        palette = _palette([frames[0], frames[steps // 2], frames[-1]], grey=painted.canvases.shape[2] != 3)
        frames = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in frames]
    pace = int(np.clip(_PAINTING / steps, _SHORTEST, _LONGEST))
    with atomic_write(path) as file:
        frames[0].save(
            file,
            format="GIF" if ending == ".gif" else "PNG",
            save_all=True,
            append_images=frames[1:],
            duration=[pace] * steps + [_FINISHED],
            loop=0,
        )
    return path


# A window of each image, and the colour of its lines.
_Coloured = tuple["Window", str]


def _checked(painted: Painted, originals: np.ndarray | None) -> np.ndarray:
    """The canvases, if they are images and there are as many originals.

    Raises:
        ValueError: They are not.
    """
    canvases = painted.canvases
    if canvases.ndim != 5:
        raise ValueError(f"Paintings of images have the shape [N, T, C, H, W], not {list(canvases.shape)}.")
    if originals is not None and originals.shape != canvases[:, 0].shape:
        raise ValueError(f"Originals {originals.shape} and paintings {canvases[:, 0].shape} differ in shape.")
    return canvases


def _margin(height: int, width: int) -> int:
    return math.ceil(max(height, width) / _MARGIN)


def _zoom(pixels: int, wanted: int) -> int:
    return max(_LEAST, wanted // pixels)


def _step(painted: Painted, step: int, limits: tuple[float, float] | None) -> tuple[np.ndarray, list[_Coloured]]:
    """The images after a step, [N, C, H, W] between 0 and 1, and the windows of the step."""
    pairs = ((painted.read, READ), (painted.write, WRITE))
    windows = [(type(each)(*(value[:, step] for value in each)), colour) for each, colour in pairs if each is not None]
    return unit_range(painted.canvases[:, step], limits), windows


def _cells(images: np.ndarray, windows: Sequence[_Coloured], zoom: int) -> np.ndarray:
    """Images with a white margin and their windows, enlarged, [N, 3, H', W'] in bytes."""
    count, _, height, width = images.shape
    margin = _margin(height, width) * zoom
    pixels = (255 * np.broadcast_to(images, (count, 3, height, width))).round().astype(np.uint8)
    pixels = pixels.repeat(zoom, 2).repeat(zoom, 3)
    cells = np.pad(pixels, ((0, 0), (0, 0), (margin, margin), (margin, margin)), constant_values=255)
    for window, colour in windows:
        paint = (255 * np.array(to_rgb(colour))).round().astype(np.uint8)[:, None, None]
        x, y, extent, sigma = (getattr(window, name).double().numpy() for name in ("x", "y", "extent", "sigma"))
        # Pixel a of an image, from 1, lies between a − 1 and a.
        edges = np.stack([y - extent / 2, x - extent / 2, y + extent / 2, x + extent / 2], 1) - 0.5
        edges = np.clip(edges * zoom + margin, -1e6, 1e6).round().astype(int)
        thickest = max(zoom, 4)
        lines = np.clip((thickest / sigma).round(), 1, thickest).astype(int)
        for cell, edge, line in zip(cells, edges, lines, strict=True):
            _outline(cell, edge, line, paint)
    return cells


def _outline(cell: np.ndarray, edges: np.ndarray, line: int, paint: np.ndarray) -> None:
    """Draw the lines of a rectangle around its edges (top, left, bottom, right), outside of what it covers."""
    top, left, bottom, right = edges.clip(0)
    inside = cell[:, top:bottom, left:right].copy()
    outer = (edges + np.array([-line, -line, line, line])).clip(0)
    cell[:, outer[0] : outer[2], outer[1] : outer[3]] = paint
    cell[:, top:bottom, left:right] = inside


def _palette(frames: Sequence[Image.Image], *, grey: bool) -> Image.Image:
    """The colours of an animation: greys or those of some frames, and those of the windows as they are."""
    if grey:
        own = np.linspace(0, 255, _COLOURS).round().astype(int).repeat(3).tolist()
    else:
        together = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames]))
        own = (together.quantize(_COLOURS).getpalette() or [])[: 3 * _COLOURS]
        own += [255] * (3 * _COLOURS - len(own))
    image = Image.new("P", (1, 1))
    image.putpalette(own + [round(255 * part) for colour in (READ, WRITE) for part in to_rgb(colour)])
    return image
