"""Vectors: how the draws of each column are distributed, and how closely data is reconstructed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from lowerbound.figures.canvas import BLUE, GREY, VERMILLION, dress, new_axes
from lowerbound.figures.rows import bins, draw_bands, draw_histograms, histograms, key, names_of

# More columns than a page has lines, and more curves than can be told apart.
_MOST_ROWS, _MOST_CURVES = 40, 8
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
    check(drawn, columns)
    if data is not None:
        check(data, columns)
        if data.shape[1] != drawn.shape[1]:
            raise ValueError(f"The draws have {drawn.shape[1]} columns, and the data {data.shape[1]}.")
    rows = min(drawn.shape[1], _MOST_ROWS)
    if ax is None:
        ax = new_axes(5.0, 0.8 + 0.32 * rows)
    centre, spread = moments(drawn if data is None else data)
    edges = np.linspace(-_REACH, _REACH, bins(len(drawn) if data is None else min(len(drawn), len(data))) + 1)
    line, area = (
        None if values is None else histograms((values - centre)[:, :rows] / spread[:rows], edges)
        for values in (drawn, data)
    )
    assert line is not None
    left_out = f"\nfirst {rows} of {drawn.shape[1]:,} columns" if rows < drawn.shape[1] else ""
    dress(ax, f"standard deviations from the mean of the {'draws' if data is None else 'data'}{left_out}")
    draw_histograms(ax, area, line, edges, names_of(columns, drawn.shape[1])[:rows])
    key(ax, [("model", BLUE)] if data is None else [("data", GREY), ("model", BLUE)])
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
    check(originals, columns)
    rows, width = min(len(originals), _MOST_CURVES), originals.shape[1]
    if ax is None:
        ax = new_axes(min(9.0, 3.5 + 0.3 * width), 1.2 + 0.7 * rows)
    centre, spread = moments(originals)
    pairs = np.stack([originals[:rows], reconstructed[:rows]], 1)
    dress(ax)
    draw_bands(ax, (pairs - centre) / spread, (GREY, VERMILLION), columns)
    key(ax, [("original", GREY), ("reconstruction", VERMILLION)])
    return ax


def check(values: np.ndarray, columns: Sequence[str] | None) -> None:
    """Refuse what are no vectors, or names that do not fit them.

    Raises:
        ValueError: They are not.
    """
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"Vectors have the shape [N, D], not {list(values.shape)}.")
    if columns is not None and len(columns) != values.shape[1]:
        raise ValueError(f"There are {values.shape[1]} columns and {len(columns)} names for them.")


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column; 1 for a constant one."""
    spread = values.std(0)
    return values.mean(0), np.where(spread > 0, spread, 1)
