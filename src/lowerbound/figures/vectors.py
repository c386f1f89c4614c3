"""Vectors: how the draws of each column are distributed, and how closely data is reconstructed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from lowerbound.figures.canvas import BLUE, GREY, TICK, VERMILLION, dress, new_axes

# More columns than a page has lines, more names than an axis has room for, and more curves than can be told apart.
_MOST_ROWS, _MOST_NAMES, _MOST_CURVES = 40, 60, 8
# Standard deviations from the mean; what lies further out is drawn at the edge.
_REACH = 3.5


def distributions(
    drawn: np.ndarray, data: np.ndarray | None = None, *, columns: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """For each column a histogram of the draws as a line, over that of the data as an area, one below the other.

    Args:
        drawn: [N, D]; the first forty columns are shown.
        data: What to compare with, [M, D]; all is drawn in its standard deviations; None: in those of the draws.
        columns: Names of the D columns.
        ax: Where to draw; None: on a new figure.

    Raises:
        ValueError: No draws or no data, another number of columns, or of names.
    """
    _check(drawn, columns)
    if data is not None:
        _check(data, columns)
        if data.shape[1] != drawn.shape[1]:
            raise ValueError(f"The draws have {drawn.shape[1]} columns, and the data {data.shape[1]}.")
    rows = min(drawn.shape[1], _MOST_ROWS)
    if ax is None:
        ax = new_axes(5.0, 0.8 + 0.32 * rows)
    reference = drawn if data is None else data
    centre, spread = _moments(reference)
    edges = _edges(len(drawn) if data is None else min(len(drawn), len(data)))
    drawn_heights = _histograms((drawn - centre) / spread, edges)
    data_heights = np.zeros_like(drawn_heights) if data is None else _histograms((data - centre) / spread, edges)
    for row in range(rows):
        base = rows - 1 - row
        scale = 0.85 / max(drawn_heights[row].max(), data_heights[row].max())
        if data is not None:
            ax.stairs(base + scale * data_heights[row], edges, baseline=base, fill=True, color=GREY, alpha=0.55, lw=0)
        ax.stairs(base + scale * drawn_heights[row], edges, baseline=base, color=BLUE, linewidth=1.1)
    left_out = f"\nfirst {rows} of {drawn.shape[1]:,} columns" if rows < drawn.shape[1] else ""
    dress(ax, f"standard deviations from the mean of the {'draws' if data is None else 'data'}{left_out}")
    ax.spines["left"].set_visible(False)
    ax.set_yticks(np.arange(rows)[::-1] + 0.1, _names(columns, drawn.shape[1])[:rows], fontsize=TICK)
    ax.tick_params(axis="y", length=0)
    ax.set(xlim=(-_REACH, _REACH), ylim=(-0.1, rows))
    _key(ax, [("model", BLUE)] if data is None else [("data", GREY), ("model", BLUE)])
    return ax


def overlaid(
    originals: np.ndarray,
    reconstructed: np.ndarray,
    *,
    columns: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The first eight data as curves over their columns, each in a band of its own, with their reconstructions.

    Args:
        originals: [N, D]; the columns are scaled by the standard deviations of all of them.
        reconstructed: [N, D].
        columns: Names of the D columns.
        ax: Where to draw; None: on a new figure.

    Raises:
        ValueError: No data, or another number of names.
    """
    _check(originals, columns)
    rows, width = min(len(originals), _MOST_CURVES), originals.shape[1]
    if ax is None:
        ax = new_axes(min(9.0, 3.5 + 0.3 * width), 1.2 + 0.7 * rows)
    centre, spread = _moments(originals)
    pair = [(values[:rows] - centre) / spread for values in (originals, reconstructed)]
    band = 1.1 * max(np.ptp(np.concatenate(pair), axis=None), 1.0)
    named = width <= _MOST_NAMES
    for row in range(rows):
        base = (rows - 1 - row) * band
        ax.axhline(base, color=GREY, linewidth=0.4, alpha=0.6, zorder=0)
        for values, color in zip(pair, (GREY, VERMILLION), strict=True):
            ax.plot(base + values[row], color=color, linewidth=1.2, marker="o" if named else None, markersize=2.5)
    dress(ax, "" if named else "column")
    if named:
        names = _names(columns, width)
        slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 2 else {}
        ax.set_xticks(range(width), names, fontsize=TICK, **slant)
    ax.spines["left"].set_visible(False)
    ax.set_yticks([])
    _key(ax, [("original", GREY), ("reconstruction", VERMILLION)])
    return ax


def _check(values: np.ndarray, columns: Sequence[str] | None) -> None:
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"Vectors have the shape [N, D], not {list(values.shape)}.")
    if columns is not None and len(columns) != values.shape[1]:
        raise ValueError(f"There are {values.shape[1]} columns and {len(columns)} names for them.")


def _key(ax: Axes, entries: Sequence[tuple[str, str]]) -> None:
    """The meaning of the colours, above the axis."""
    patches = [Patch(color=color, label=text) for text, color in entries]
    ax.legend(
        handles=patches,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(entries),
        frameon=False,
        fontsize=TICK,
        handlelength=0.9,
        handleheight=0.9,
    )


def _names(columns: Sequence[str] | None, count: int) -> list[str]:
    """Names of the columns, or their numbers; long names without their middle."""
    names = [str(name) for name in (range(count) if columns is None else columns)]
    return [name if len(name) <= 24 else f"{name[:14]}…{name[-9:]}" for name in names]


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column; 1 for a constant one."""
    spread = values.std(0)
    return values.mean(0), np.where(spread > 0, spread, 1)


def _edges(count: int) -> np.ndarray:
    """Edges of as many bins as so many values can fill."""
    return np.linspace(-_REACH, _REACH, int(np.clip(3 * count ** (1 / 3), 14, 56)) + 1)


def _histograms(scaled: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Shares of the values of each column in each bin, [D, bins]."""
    inside = np.clip(scaled, -_REACH, _REACH)
    return np.stack([np.histogram(column, edges)[0] / len(column) for column in inside.T])
