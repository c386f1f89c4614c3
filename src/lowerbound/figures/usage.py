"""How the latent variables are used: what each costs, and whether the codes lie where the prior has its mass.

References:
    Burda, Grosse and Salakhutdinov, Importance weighted autoencoders, 2015, section 5 (active units).
    Hoffman and Johnson, ELBO surgery, 2016 (the aggregate posterior).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from torch.distributions import Distribution

from lowerbound.figures.canvas import BLUE, GREY, TICK, VERMILLION, dress, new_axes
from lowerbound.figures.rows import bins, draw_histograms, histograms, key

# Bars that an axis has names for, and rows that a page has lines for.
_MOST_NAMED, _MOST_ROWS = 60, 24
# Shares of the prior's mass that its contours enclose, and points in each direction of the grid they are drawn on.
_MASSES, _GRID = (0.5, 0.9, 0.99), 160
# Codes from which on their density is shown in place of themselves.
_MANY = 1500
# Draws from the prior; of many choices or dimensions, where some priors are slow, fewer.
_DRAWS, _FEWER = 20_000, 2_000


def kl_per_latent(kl: np.ndarray, active: np.ndarray | None = None, *, ax: Axes | None = None) -> Axes:
    """What each latent dimension costs, the dearest first.

    Args:
        kl: Mean KL of each dimension in nats, [D].
        active: Whether each is active, [D]: bars of those that are not are grey; None: not known.
        ax: Where to draw; None: on a new figure.

    Raises:
        ValueError: No dimensions, or another number of answers.
    """
    if kl.ndim != 1 or len(kl) == 0:
        raise ValueError(f"The KL of each latent dimension has the shape [D], not {list(kl.shape)}.")
    if active is not None and active.shape != kl.shape:
        raise ValueError(f"There are {len(kl)} dimensions and {len(active)} answers whether they are active.")
    if ax is None:
        ax = new_axes(6.0, 2.9)
    order = np.argsort(-kl, kind="stable")
    used = np.ones(len(kl), bool) if active is None else active[order]
    place = np.arange(len(kl))
    # Thin bars touch, so that no pattern of gaps comes up that is not in the figures.
    width, named = (0.8, True) if len(kl) <= _MOST_NAMED else (1.0, False)
    for which, color in ((used, BLUE), (~used, GREY)):
        ax.bar(place[which], kl[order][which], width, color=color, linewidth=0)
    dress(ax, "latent dimension" if named else "rank of the latent dimension", "KL (nats)")
    if named:
        ax.set_xticks(place, [str(d + 1) for d in order], fontsize=TICK if len(kl) <= 30 else TICK - 2)
        if len(kl) > 20:
            ax.tick_params(axis="x", rotation=90)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set(xlim=(-0.7, len(kl) - 0.3))
    ax.set_title(f"{kl.sum():.2f} nats in all", fontsize=TICK + 1, loc="right")
    if active is not None:
        count = int(active.sum())
        key(ax, [(f"active: {count:,}", BLUE), (f"not active: {len(kl) - count:,}", GREY)])
    return ax


def prior_and_posterior(
    prior: Distribution,
    drawn: np.ndarray,
    dimensions: Sequence[int] | None = None,
    *,
    categories: int | None = None,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """The prior against the aggregate posterior, the mean of the posteriors of all data.

    What the one has and the other has not is where samples are poor (the decoder was never asked about it), or where
    data is too dear. Over two real dimensions the density of the codes is shown under contours of the prior that
    enclose 50, 90 and 99 % of its mass; else, histograms of each dimension.

    Args:
        prior: p(z), batch shape [], event shape [D].
        drawn: A draw from the posterior of each datum, [N, D].
        dimensions: Which to show where there are more than two, from the top down, at most 24; None: the first ones.
        categories: Where z is choices, of how many each: the shares of every category are shown for each choice.
        seed: Of the draws from the prior; the caller's random numbers are left as they were.
        ax: Where to draw; None: on a new figure.

    Raises:
        ValueError: No draws, or draws of another dimension than the prior's.
    """
    size = prior.event_shape.numel()
    if drawn.ndim != 2 or len(drawn) == 0 or drawn.shape[1] != size:
        raise ValueError(f"Draws over this prior have the shape [N, {size}], not {list(drawn.shape)}.")
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())), torch.no_grad():
        torch.manual_seed(seed)
        z = prior.sample(torch.Size((_DRAWS if size <= 100 else _FEWER,)))
        if size == 2 and categories is None and (levels := _levels(prior, z)) is not None:
            return _over_the_plane(prior, levels, z.device, drawn, ax)
        other = z.flatten(1).cpu().numpy()
    if categories is not None:
        return _shares(other, drawn, categories, ax)
    shown = (range(size) if dimensions is None else list(dimensions))[:_MOST_ROWS]
    return _marginals(other[:, shown], drawn[:, shown], [f"$z_{{{d + 1}}}$" for d in shown], size, ax)


def _levels(prior: Distribution, z: torch.Tensor) -> list[float] | None:
    """Log-densities above which the prior has these shares of its mass; None where it has no density on the plane."""
    if z.norm(dim=-1).std() < 1e-4:  # a circle
        return None
    density = prior.log_prob(z).cpu().numpy()
    return sorted(float(np.quantile(density, 1 - mass)) for mass in _MASSES)


def _over_the_plane(
    prior: Distribution, levels: list[float], device: torch.device, drawn: np.ndarray, ax: Axes | None
) -> Axes:
    if ax is None:
        ax = new_axes(5.0, 4.6)
    reach = np.concatenate([np.quantile(drawn, (0.001, 0.999), axis=0), [[-3.1, -3.1], [3.1, 3.1]]])
    (left, low), (right, high) = reach.min(0), reach.max(0)
    x, y = np.linspace(left, right, _GRID), np.linspace(low, high, _GRID)
    points = torch.from_numpy(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)).float().to(device)
    density = prior.log_prob(points).cpu().numpy().reshape(_GRID, _GRID)
    if len(drawn) < _MANY:
        ax.scatter(*drawn.T, s=9, color=BLUE, alpha=0.6, linewidths=0, rasterized=True)
        ax.set(xlim=(left, right), ylim=(low, high))
    else:
        blues = LinearSegmentedColormap.from_list("blues", ["#DCEAF4", BLUE])
        cells = int(min(np.sqrt(len(drawn)) / 2, 60))
        ax.hexbin(*drawn.T, gridsize=cells, extent=(left, right, low, high), mincnt=1, cmap=blues, linewidths=0.1)
    ax.contour(x, y, density, levels=levels, colors=VERMILLION, linewidths=1.2, linestyles="solid")
    ax.set_aspect("equal", adjustable="box")
    dress(ax, "$z_1$", "$z_2$")
    words = f"prior: {', '.join(f'{mass:.0%}' for mass in _MASSES)} of its mass"
    handles = [Patch(color=BLUE, label="aggregate posterior"), Line2D([], [], color=VERMILLION, label=words)]
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=TICK)
    return ax


def _marginals(prior: np.ndarray, drawn: np.ndarray, names: list[str], size: int, ax: Axes | None) -> Axes:
    if ax is None:
        ax = new_axes(5.0, 0.8 + 0.32 * len(names))
    both = np.concatenate([np.quantile(values, (0.001, 0.999), axis=0) for values in (prior, drawn)])
    edges = np.linspace(both.min(), both.max(), bins(min(len(prior), len(drawn))) + 1)
    left_out = f"\n{len(names)} of {size:,} dimensions" if len(names) < size else ""
    dress(ax, f"z{left_out}")
    draw_histograms(ax, histograms(drawn, edges), histograms(prior, edges), edges, names)
    key(ax, [("aggregate posterior", GREY), ("prior", BLUE)])
    return ax


def _shares(prior: np.ndarray, drawn: np.ndarray, categories: int, ax: Axes | None) -> Axes:
    """For each choice how often each category is chosen."""
    line, area = (values.mean(0).reshape(-1, categories)[:_MOST_ROWS] for values in (prior, drawn))
    if ax is None:
        ax = new_axes(5.0, 0.8 + 0.32 * len(line))
    groups = drawn.shape[1] // categories
    left_out = f"\nfirst {len(line)} of {groups:,} choices" if len(line) < groups else ""
    dress(ax, f"category{left_out}")
    edges = np.arange(categories + 1) + 0.5
    draw_histograms(ax, area, line, edges, [f"choice {group + 1}" for group in range(len(line))])
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    key(ax, [("aggregate posterior", GREY), ("prior", BLUE)])
    return ax
