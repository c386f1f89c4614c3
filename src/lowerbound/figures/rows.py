"""Many small panels below one another on one axis: histograms, and bands of curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from lowerbound.figures.canvas import BLUE, GREY, TICK, plain

# More names than an axis has room for.
_MOST_NAMES = 60
# Share of a row's height that its highest bar takes.
_FULL = 0.85


def histograms(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Shares of the values of each column [N, D] in each bin, [D, bins]; what lies outside counts at the edge."""
    inside = np.clip(values, edges[0], edges[-1])
    return np.stack([np.histogram(column, edges)[0] / len(column) for column in inside.T])


def bins(count: int) -> int:
    """As many bins as so many values can fill."""
    return int(np.clip(3 * count ** (1 / 3), 14, 56))


def draw_histograms(
    ax: Axes, area: np.ndarray | None, line: np.ndarray, edges: np.ndarray, names: Sequence[str]
) -> None:
    """A row for each histogram: a line, over an area.

    Args:
        ax: Where to draw.
        area: [R, bins].
        line: [R, bins].
        edges: Of the bins.
        names: Of the rows, from the top.
    """
    rows = len(line)
    for row in range(rows):
        base = rows - 1 - row
        heights = line[row] if area is None else np.stack([line[row], area[row]])
        scale = _FULL / max(heights.max(), 1e-12)
        if area is not None:
            ax.stairs(base + scale * area[row], edges, baseline=base, fill=True, color=GREY, alpha=0.55, lw=0)
        ax.stairs(base + scale * line[row], edges, baseline=base, color=BLUE, linewidth=1.1)
    ax.spines["left"].set_visible(False)
    ax.set_yticks(np.arange(rows)[::-1] + 0.1, list(names), fontsize=TICK)
    ax.tick_params(axis="y", length=0)
    ax.set(xlim=(edges[0], edges[-1]), ylim=(-0.1, rows))


def draw_bands(ax: Axes, curves: np.ndarray, colors: Sequence[str], columns: Sequence[str] | None) -> np.ndarray:
    """Curves over columns, those of a row about one line.

    Args:
        ax: Where to draw.
        curves: [R, S, D]: S curves in each of R rows.
        colors: Of the S curves.
        columns: Names of the D columns.

    Returns:
        The heights of the lines, [R], from the top.
    """
    rows, _, width = curves.shape
    band = 1.1 * max(float(np.ptp(curves)), 1.0)
    bases = np.arange(rows)[::-1] * band
    named = width <= _MOST_NAMES
    for base, row in zip(bases, curves, strict=True):
        ax.axhline(base, color=GREY, linewidth=0.4, alpha=0.6, zorder=0)
        for values, color in zip(row, colors, strict=True):
            ax.plot(base + values, color=color, linewidth=1.2, marker="o" if named else None, markersize=2.5)
    if named:
        names = names_of(columns, width)
        slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 2 else {}
        ax.set_xticks(range(width), names, fontsize=TICK, **slant)
    else:
        ax.set_xlabel("column", fontsize=TICK + 1)
    ax.spines["left"].set_visible(False)
    ax.set_yticks([])
    return bases


def key(ax: Axes, entries: Sequence[tuple[str, str]]) -> None:
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


def names_of(columns: Sequence[str] | None, count: int) -> list[str]:
    """Names of the columns, or their numbers; long names without their middle."""
    names = [str(name) for name in (range(count) if columns is None else columns)]
    return [plain(name if len(name) <= 24 else f"{name[:14]}…{name[-9:]}") for name in names]
