"""How a training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.axes_grid1 import make_axes_locatable

from lowerbound.figures.canvas import BLUE, GREY, TICK, VERMILLION, dress, new_axes


def learning_curves(metrics: Sequence[Mapping[str, Any]], ax: Axes | None = None) -> Axes:
    """−ELBO, and next to it its two parts, distortion and rate, of training and validation data over the epochs.

    The scale of each panel is that of all epochs but the first tenth of them, which would dwarf the rest.

    Args:
        metrics: One entry for each epoch, with `epoch`, `distortion`, `rate` and, where there was a validation,
            `validation_distortion` and `validation_rate`, in nats: the lines of `metrics.jsonl`.
        ax: Where to draw; the panels share its place. None: on a new figure.

    Returns:
        The panel of −ELBO.

    Raises:
        ValueError: No epoch.
    """
    if not metrics:
        raise ValueError("There are no learning curves to draw before the first epoch has ended.")
    if ax is None:
        ax = new_axes(9.0, 2.9)
    divider = make_axes_locatable(ax)
    panels = [ax, *(divider.append_axes("right", size="100%", pad=0.55, sharex=ax) for _ in range(2))]
    epochs = np.array([entry["epoch"] for entry in metrics])
    for panel, title, parts in zip(
        panels,
        ("−ELBO", "Distortion", "Rate"),
        (("distortion", "rate"), ("distortion",), ("rate",)),
        strict=True,
    ):
        curves = [_curve(metrics, [prefix + part for part in parts]) for prefix in ("", "validation_")]
        for curve, color, label in zip(curves, (GREY, BLUE), ("training", "validation"), strict=True):
            known = np.isfinite(curve)
            if known.any():
                marker = "o" if known.sum() == 1 else None
                panel.plot(epochs[known], curve[known], color=color, linewidth=1.4, marker=marker, label=label)
        _scale(panel, np.stack(curves))
        dress(panel, "epoch")
        panel.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        panel.set_title(f"{title} (nats)", fontsize=TICK + 1, loc="left")
    _mark_best(ax, epochs, _curve(metrics, ["validation_distortion", "validation_rate"]))
    # Above the titles, where no curve can run through it.
    ax.legend(frameon=False, fontsize=TICK, loc="lower left", bbox_to_anchor=(0, 1.1), borderaxespad=0, ncols=3)
    return ax


def _curve(metrics: Sequence[Mapping[str, Any]], names: Sequence[str]) -> np.ndarray:
    """The sum of these figures at each epoch; NaN where one is missing."""
    rows = [[entry.get(name) for name in names] for entry in metrics]
    return np.array([[np.nan if figure is None else figure for figure in row] for row in rows], float).sum(1)


def _scale(panel: Axes, curves: np.ndarray) -> None:
    """Let the axis span all but the first tenth of the epochs; the curves are [2, E]."""
    late = curves[:, curves.shape[1] // 10 :]
    late = late[np.isfinite(late)]
    if late.size == 0:
        return
    low, high = late.min(), late.max()
    margin = 0.05 * (high - low) or 0.5
    panel.set_ylim(low - margin, high + margin)


def _mark_best(panel: Axes, epochs: np.ndarray, validation: np.ndarray) -> None:
    """A dot where the validation bound is best."""
    if np.isfinite(validation).any():
        best = int(np.nanargmin(validation))
        label = f"best: {validation[best]:.2f}, epoch {epochs[best]}"
        panel.plot(epochs[best], validation[best], "o", color=VERMILLION, markersize=4.5, zorder=3, label=label)
