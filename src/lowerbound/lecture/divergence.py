"""Slide 2: the Kullback-Leibler divergence, of two discrete distributions and in its two directions.

References:
    Goodfellow, Bengio and Courville, Deep learning, 2016, figure 3.6.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, Normal

from lowerbound.distributions import discrete_kl
from lowerbound.figures.canvas import BLUE, ORANGE, TICK, VERMILLION, dress
from lowerbound.inference import fit_posterior, mean_field
from lowerbound.lecture.drawing import heading, panels
from lowerbound.lecture.exhibit import Exhibit, Slide


class Divergences(NamedTuple):
    """Pairs of discrete distributions, [pairs, states], and both divergences of each, [pairs], in nats."""

    p: Tensor
    q: Tensor
    forward: Tensor
    """KL(P ‖ Q)."""
    reverse: Tensor
    """KL(Q ‖ P)."""


class Fits(NamedTuple):
    """A density with two modes, and the Gaussians that are nearest to it in either direction."""

    density: Distribution
    forward: Distribution
    """The minimum of KL(p ‖ q)."""
    reverse: Distribution
    """One minimum of KL(q ‖ p)."""


def two_directions() -> Divergences:
    """Two distributions that differ; a state that P lacks; one that Q lacks; and P = Q."""
    far, half, falling = [0.36, 0.48, 0.12, 0.04], [0.5, 0.5, 0.0, 0.0], [0.4, 0.3, 0.2, 0.1]
    p = torch.tensor([far, half, falling, falling], dtype=torch.float64)
    q = torch.tensor([[0.25, 0.25, 0.25, 0.25], falling, half, falling], dtype=torch.float64)
    return Divergences(p, q, discrete_kl(p, q), discrete_kl(q, p))


def fit_a_gaussian(steps: int = 1000) -> Fits:
    """The nearest Gaussian to a density with two modes, in both directions."""
    modes = Independent(Normal(torch.tensor([[-2.0], [2.0]]), torch.tensor([[0.6], [0.6]])), 1)
    density = MixtureSameFamily(Categorical(torch.tensor([0.5, 0.5])), modes)
    wide, narrow = mean_field(1), mean_field(1)
    wide.features.data = torch.tensor([1.0, 2.0])  # mean and log variance: where it begins
    narrow.features.data = torch.tensor([1.0, 0.0])
    forward = fit_posterior(density.log_prob, wide, direction="forward", particles=4000, steps=steps)
    reverse = fit_posterior(density.log_prob, narrow, direction="reverse", particles=100, steps=steps)
    return Fits(density, forward.distribution, reverse.distribution)


_PAIRS = ("two distributions", "P lacks two states", "Q lacks two states", "the same twice")


def _draw_discrete(result: Divergences) -> Figure:
    figure, axes = panels(4, 8.4, 2.5)
    place = np.arange(result.p.shape[1])
    for ax, text, p, q, *divergences in zip(axes, _PAIRS, *result, strict=True):
        ax.bar(place - 0.2, p.numpy(), 0.38, color=BLUE, label="P")
        ax.bar(place + 0.2, q.numpy(), 0.38, color=ORANGE, label="Q")
        there, back = ("∞" if value.isinf() else f"{abs(value.item()):.3f}" for value in divergences)
        dress(ax, f"KL(P ‖ Q) = {there}\nKL(Q ‖ P) = {back}")
        ax.set(xticks=place.tolist(), ylim=(0, 0.56), yticks=[0, 0.25, 0.5])
        heading(ax, text)
    axes[0].legend(frameon=False, fontsize=TICK, loc="upper right")
    return figure


def _draw_fits(result: Fits) -> Figure:
    figure, axes = panels(2, 8.4, 2.9)
    x = torch.linspace(-6, 6, 601)
    titles = "forward: q* = arg min KL(p ‖ q)", "reverse: q* = arg min KL(q ‖ p)"
    for ax, q, text in zip(axes, (result.forward, result.reverse), titles, strict=True):
        ax.plot(x, result.density.log_prob(x.unsqueeze(1)).exp(), color=BLUE, linewidth=1.6, label="p(x)")
        ax.plot(x, q.log_prob(x.unsqueeze(1)).exp(), color=VERMILLION, linewidth=1.6, linestyle="dashed", label="q*(x)")
        dress(ax, "x", "density")
        ax.set(xlim=(-6, 6), ylim=(0, 0.72))
        ax.legend(frameon=False, fontsize=TICK)
        heading(ax, text)
    return figure


DISCRETE = Exhibit(
    name="discrete-divergence",
    title="The divergence of two discrete distributions",
    see=(
        "Each panel holds two distributions over four states, and below it stand their divergences in nats: the "
        "two directions are not the same, so that the divergence is no distance.",
        "A state that P lacks costs KL(P ‖ Q) nothing, whatever Q has there, and a state that Q lacks while P "
        "has it costs infinitely much: the second and the third panel are the same pair with its roles exchanged.",
        "The divergence is zero where the two distributions are the same, and only there.",
    ),
    equation=r"KL(P ‖ Q) = − ∑_{x ∈ X} P(x) \, log \, \frac{Q(x)}{P(x)}",
    alt="Four bar charts of two distributions P and Q over four states, with both divergences below each; in the "
    "second and third one of the two divergences is infinite, in the last both are zero.",
    code=two_directions,
    given=lambda workshop: (),
    draw=_draw_discrete,
)

FITS = Exhibit(
    name="forward-and-reverse",
    title="Two directions, two answers",
    see=(
        "The solid curve is a density with two modes, and the dashed one is the Gaussian that is nearest to it.",
        "On the left the divergence is KL(p ‖ q), which punishes q for having nothing where p has something: q "
        "covers both modes and puts much of its mass where p has none.",
        "On the right it is KL(q ‖ p), the one that variational inference minimises, which punishes q for "
        "having something where p has nothing: q withdraws into one mode, and which one depends on where it began.",
    ),
    equation=r"q^* = arg \, min_q \, KL(p ‖ q) \quad or \quad q^* = arg \, min_q \, KL(q ‖ p)",
    alt="Two panels with the same density of two peaks: on the left a broad Gaussian lies over both peaks, on the "
    "right a narrow one lies over one of them.",
    code=fit_a_gaussian,
    given=lambda workshop: (),
    draw=_draw_fits,
)

SLIDE = Slide(
    title="The Kullback-Leibler divergence",
    said="Kullback–Leibler divergence is a measure of how one probability distribution differs from a second, "
    "reference distribution.",
    exhibits=(DISCRETE, FITS),
)
