"""How a training went."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.axes_grid1 import make_axes_locatable

from lowerbound.figures.canvas import BLUE, GREY, OKABE_ITO, TICK, VERMILLION, dress, new_axes, plain

# After as many runs as there are colours the next ones are dashed.
_LINES = ("-",) * len(OKABE_ITO) + ("--",) * len(OKABE_ITO)


def learning_curves(metrics: Sequence[Mapping[str, Any]], ax: Axes | None = None) -> Axes:
    """−ELBO, and next to it its two parts, distortion and rate, of training and validation data over the epochs.

    The scale of each panel is that of all epochs but the first tenth of them, which would dwarf the rest. Where the
    rate is infinite, because the encoder is deterministic, there is no bound, and the distortion is all there is.

    Args:
        metrics: One entry for each epoch, with `epoch`, `distortion`, `rate` and, where there was a validation,
            `validation_distortion` and `validation_rate`, in nats: the lines of `metrics.jsonl`.
        ax: Where to draw; the panels share its place. None: on a new figure.

    Returns:
        The panel of −ELBO, or of the distortion where it stands alone.

    Raises:
        ValueError: No epoch.
    """
    shown = _parts([metrics])
    panels = _panels(ax, shown)
    epochs = np.array([entry["epoch"] for entry in metrics])
    for panel, parts in zip(panels, shown.values(), strict=True):
        curves = [_curve(metrics, [prefix + part for part in parts]) for prefix in ("", "validation_")]
        for curve, color, label in zip(curves, (GREY, BLUE), ("training", "validation"), strict=True):
            _draw(panel, epochs, curve, color=color, label=label)
        _scale(panel, curves)
    _mark_best(panels[0], epochs, _curve(metrics, [f"validation_{part}" for part in next(iter(shown.values()))]))
    _legend(panels[0])
    return panels[0]


def compared_curves(runs: Mapping[str, Sequence[Mapping[str, Any]]], ax: Axes | None = None) -> Axes:
    """The learning curves of several runs over one another, in panels as `learning_curves` has them.

    A curve is that of the validation data, or of the training data where nothing was validated, and then dotted.

    Args:
        runs: By name, the lines of each run's `metrics.jsonl`.
        ax: Where to draw; the panels share its place. None: on a new figure.

    Returns:
        The first panel.

    Raises:
        ValueError: No run, or no epoch in any of them.
    """
    shown = _parts(list(runs.values()))
    panels = _panels(ax, shown)
    looks: list[dict[str, Any]] = [
        {"color": OKABE_ITO[number % len(OKABE_ITO)], "linestyle": _LINES[number % len(_LINES)]}
        for number in range(len(runs))
    ]
    for panel, parts in zip(panels, shown.values(), strict=True):
        curves = []
        for metrics, look in zip(runs.values(), looks, strict=True):
            curve = _curve(metrics, [f"validation_{part}" for part in parts])
            if not np.isfinite(curve).any():
                curve, look = _curve(metrics, parts), {**look, "linestyle": ":"}
            _draw(panel, np.array([entry["epoch"] for entry in metrics]), curve, **look)
            curves.append(curve)
        _scale(panel, curves)
    # Of every run, though not all of them have a curve in the first panel.
    _legend(panels[0], [Line2D([], [], label=plain(name), **look) for name, look in zip(runs, looks, strict=True)])
    return panels[0]


def _parts(runs: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, tuple[str, ...]]:
    """Which panels there are, and what each is the sum of."""
    if not any(runs):
        raise ValueError("There are no learning curves to draw before the first epoch has ended.")
    if all(entry["rate"] == math.inf for metrics in runs for entry in metrics):
        return {"Distortion": ("distortion",)}
    return {"−ELBO": ("distortion", "rate"), "Distortion": ("distortion",), "Rate": ("rate",)}


def _panels(ax: Axes | None, titles: Collection[str]) -> list[Axes]:
    """As many panels in the place of an axis."""
    if ax is None:
        ax = new_axes(9.0 if len(titles) > 1 else 4.5, 2.9)
    divider = make_axes_locatable(ax)
    panels = [ax, *(divider.append_axes("right", size="100%", pad=0.55, sharex=ax) for _ in list(titles)[1:])]
    for panel, title in zip(panels, titles, strict=True):
        dress(panel, "epoch")
        panel.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        panel.set_title(f"{title} (nats)", fontsize=TICK + 1, loc="left")
    return panels


def _draw(panel: Axes, epochs: np.ndarray, curve: np.ndarray, **style: Any) -> None:
    """The curve where it is known; a single value is a dot."""
    known = np.isfinite(curve)
    if known.any():
        marker = "o" if known.sum() == 1 else None
        panel.plot(epochs[known], curve[known], linewidth=1.4, marker=marker, **style)


def _legend(panel: Axes, lines: Sequence[Line2D] | None = None) -> None:
    """Above the titles, where no curve can run through it; None: of the panel's own lines."""
    lines = panel.lines if lines is None else lines
    panel.legend(
        handles=list(lines),
        frameon=False,
        fontsize=TICK,
        loc="lower left",
        bbox_to_anchor=(0, 1.1),
        borderaxespad=0,
        ncols=3 if len(lines) <= 3 else 4,
    )


def _curve(metrics: Sequence[Mapping[str, Any]], names: Sequence[str]) -> np.ndarray:
    """The sum of these figures at each epoch; NaN where one is missing."""
    rows = [[entry.get(name) for name in names] for entry in metrics]
    return np.array([[np.nan if figure is None else figure for figure in row] for row in rows], float).sum(1)


def _scale(panel: Axes, curves: Sequence[np.ndarray]) -> None:
    """Let the axis span all but the first tenth of the epochs of each curve."""
    late = np.concatenate([curve[len(curve) // 10 :] for curve in curves])
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
