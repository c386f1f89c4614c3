"""Slide 3: Bayes' rule, and p(x), which is intractable but where there are few latent variables.

With two of them the integral over z is a sum over a grid, and the estimates that larger models must be content with can
be held against the truth.
"""

from __future__ import annotations

import copy
import math
from typing import NamedTuple, cast

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lowerbound import figures
from lowerbound.evaluation import Annealing, annealed_importance_sampling, bound, importance_sampling
from lowerbound.figures.canvas import BLUE, GREEN, LABEL, TICK, VERMILLION, dress
from lowerbound.lecture.drawing import heading, number, panels
from lowerbound.lecture.exhibit import Exhibit, Slide
from lowerbound.lecture.graphical import ANCESTRAL
from lowerbound.lecture.workshop import Workshop
from lowerbound.models import VAE

# Digits among which the one is looked for whose posterior is the least like a Gaussian.
_CANDIDATES = 200


class Grid(NamedTuple):
    """All of Bayes' rule at G × G points z, log densities in nats."""

    x: Tensor
    """The datum."""
    z: Tensor
    """The points, [G², 2]."""
    log_prior: Tensor
    """log p(z), [G²]."""
    log_likelihood: Tensor
    """log p(x | z), [G²]."""
    log_evidence: Tensor
    """log p(x), []."""
    log_encoder: Tensor
    """log q(z | x), [G²]."""
    log_cell: float
    """Logarithm of the area of a cell."""

    @property
    def log_posterior(self) -> Tensor:
        """log p(z | x), [G²]."""
        return self.log_likelihood + self.log_prior - self.log_evidence


class Estimates(NamedTuple):
    """Estimates of log p(x) in nats, repeated; costs are evaluations of p(x | z)."""

    exact: Tensor
    costs: Tensor
    """Of the estimates from prior and encoder, [C]."""
    annealed_costs: Tensor
    """Of the annealed ones, [C']."""
    prior: Tensor
    """From draws of p(z), [C, repeats]."""
    encoder: Tensor
    """From draws of q(z | x), [C, repeats]; at a cost of one it is the lower bound."""
    annealed: Tensor
    """By annealed importance sampling from the prior, [C', repeats]."""


def bayes_rule(model: VAE, x: Tensor, points: int = 301, reach: float = 9.0) -> Grid:
    """The posterior of z given x, with p(x) as a sum over a grid."""
    line = torch.linspace(-reach, reach, points, dtype=x.dtype)
    z = torch.cartesian_prod(line, line)
    log_prior, log_likelihood = model.prior().log_prob(z), model.decode(z).log_prob(x)
    log_cell = 2 * math.log(line[1] - line[0])
    log_evidence = (log_prior + log_likelihood).logsumexp(0) + log_cell
    log_encoder = model.posterior(x.unsqueeze(0)).log_prob(z)
    return Grid(x, z, log_prior, log_likelihood, log_evidence, log_encoder, log_cell)


def estimates(model: VAE, x: Tensor, exact: Tensor, repeats: int = 50) -> Estimates:
    """log p(x) from draws of p(z), from draws of q(z | x), and by annealing, each many times."""
    costs, temperatures, many = (1, 4, 16, 64, 256, 1024), (1, 4, 16, 64), x.expand(repeats, *x.shape)
    z = [model.prior().sample((k, repeats)) for k in costs]
    prior = [model.decode(draws).log_prob(x).logsumexp(0) - math.log(len(draws)) for draws in z]
    encoder = [importance_sampling(model, many, k).log_likelihood for k in costs]
    ways = [Annealing(chains=4, temperatures=t, leapfrog=2, start="prior") for t in temperatures]
    annealed = [annealed_importance_sampling(model, many, way).log_likelihood for way in ways]
    # Of each temperature a chain takes three evaluations for its trajectory, and one for its weight.
    evaluations = (torch.tensor(costs), torch.tensor([4 * 4 * t for t in temperatures]))
    return Estimates(exact, *evaluations, torch.stack(prior), torch.stack(encoder), torch.stack(annealed))


def exact_model(workshop: Workshop) -> VAE:
    """The model of the digits in float64."""
    return cast("VAE", copy.deepcopy(workshop[ANCESTRAL].vae.trained_.model).double())


def odd_digit(workshop: Workshop) -> Tensor:
    """Of the first digits the one, [1, 8, 8] in float64, whose bound is furthest below its likelihood."""
    trained = workshop[ANCESTRAL].vae.trained_
    x = trained.observe(workshop.dataset("digits").values[:_CANDIDATES], seed=0)
    distortion, rate = bound(trained.model, x, passes=200)
    gap = importance_sampling(trained.model, x, 500).log_likelihood + distortion + rate
    return x[gap.argmax()].double()


def zoom(grid: Grid) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a square that holds nearly all of the posterior and of q."""
    inside = grid.z[torch.maximum(grid.log_posterior.exp(), grid.log_encoder.exp()) > 0.01]
    low, high = inside.min(0).values, inside.max(0).values
    half = float((high - low).max()) / 2 + 0.1
    across, up = ((low + high) / 2).tolist()
    return across - half, across + half, up - half, up + half


def contours(ax: Axes, grid: Grid, log_density: Tensor, *, filled: bool, color: str = VERMILLION) -> None:
    """A density over the plane of z, filled or as lines, at shares of its highest value."""
    side = math.isqrt(len(grid.z))
    line = grid.z[:side, 1].numpy()
    density = (log_density - log_density.max()).exp().unflatten(0, (side, side)).T.numpy()
    if filled:
        ax.contourf(line, line, density, levels=[0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0], cmap="Blues")
    else:
        ax.contour(line, line, density, levels=[0.05, 0.4, 0.8], colors=color, linewidths=1.0)


def _draw_rule(grid: Grid) -> Figure:
    figure, axes = panels(4, 9.6, 2.75)
    figures.samples(grid.x.unsqueeze(0).float().numpy(), ax=axes[0])
    heading(axes[0], "x")
    shown = (
        (grid.log_prior, "p(z)", (-3, 3, -3, 3)),
        (grid.log_likelihood, "p(x | z), for this x", (-3, 3, -3, 3)),
        (grid.log_posterior, "p(z | x), and q(z | x)", zoom(grid)),
    )
    for ax, (density, text, (left, right, bottom, top)) in zip(axes[1:], shown, strict=True):
        contours(ax, grid, density, filled=True)
        dress(ax, "$z_1$")
        ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        heading(ax, text)
    contours(axes[3], grid, grid.log_encoder, filled=False)
    axes[1].set_ylabel("$z_2$", fontsize=LABEL)
    return figure


def _draw_estimates(result: Estimates) -> Figure:
    figure, (ax,) = panels(1, 6.6, 3.4)
    ax.axhline(result.exact.item(), color="black", linewidth=1.2)
    text = f"exact: {number(result.exact.item(), 4)}"
    ax.annotate(text, (1, result.exact.item()), xytext=(0, 4), textcoords="offset points", fontsize=TICK)
    lines = (
        (result.costs, result.prior, BLUE, "o", "draws of p(z)"),
        (result.costs, result.encoder, VERMILLION, "s", "draws of q(z | x); the first is the ELBO"),
        (result.annealed_costs, result.annealed, GREEN, "^", "annealing from p(z)"),
    )
    for costs, values, color, marker, text in lines:
        low, high = values.quantile(torch.tensor([0.1, 0.9], dtype=values.dtype), 1)
        ax.fill_between(costs, low, high, color=color, alpha=0.18, linewidth=0)
        ax.plot(costs, values.mean(1), color=color, marker=marker, markersize=4, linewidth=1.4, label=text)
    dress(ax, "evaluations of p(x | z)", "estimate of log p(x) (nats)")
    ax.set_xscale("log")
    ax.legend(frameon=False, fontsize=TICK, loc="lower right")
    return figure


RULE = Exhibit(
    name="bayes-rule",
    title="Bayes' rule on a grid",
    see=(
        "To the right of the digit x stand the prior p(z) and the likelihood p(x | z) as a function of z, which "
        "is high wherever the decoder paints something like x.",
        "Their product, divided by p(x), is the posterior p(z | x), which the last panel shows from near, with the "
        "encoder's q(z | x) as lines: the digit was chosen because its posterior is so little like a Gaussian.",
        "Here p(x) is a sum over 301 × 301 points; with fifty latent variables the same grid would have more than "
        "10¹²³ points, which is what intractable means.",
    ),
    equation=r"p(z | x) = \frac{p(x | z) p(z)}{p(x)}, \quad p(x) = ∫ p(x | z) p(z) \, d z",
    alt="A digit of 8 × 8 pixels, and three maps of the plane of z: a round prior, a likelihood with several "
    "ridges, and a posterior under the elliptic lines of the encoder's Gaussian.",
    code=bayes_rule,
    given=lambda workshop: (exact_model(workshop), odd_digit(workshop)),
    draw=_draw_rule,
)

ESTIMATES = Exhibit(
    name="estimates-of-the-evidence",
    title="What p(x) is, and what it is estimated to be",
    see=(
        "The black line is log p(x) as the grid has it, and each curve is the mean of 50 repetitions of an "
        "estimate, with a band that holds four fifths of them.",
        "Every curve comes from below and rises to the line, since the logarithm of an unbiased estimate is too "
        "low in expectation; with a single draw from q it is the lower bound of the next slide.",
        "Draws from q(z | x) get there with far fewer evaluations than draws from the prior, most of which land "
        "where the decoder paints something else; annealing, which moves the draws of the prior step by step, "
        "begins to pay only with more latent variables than two.",
    ),
    equation=r"log \, p(x) ≥ E [ log \, \frac{1}{K} ∑_{k=1}^K \frac{p(x, z_k)}{q(z_k | x)} ], \quad z_k ~ q(z | x)",
    alt="Three curves that rise with the number of evaluations to a horizontal line, the exact value: that of the "
    "encoder's draws lies highest, that of the prior's draws lowest at first.",
    code=estimates,
    given=lambda workshop: (exact_model(workshop), workshop[RULE].x, workshop[RULE].log_evidence),
    draw=_draw_estimates,
)

SLIDE = Slide(
    title="Bayes' rule, and the evidence p(x)",
    said="In order to infer characteristics of z using the visible variable x, we need to find p(z | x). p(x) is "
    "computationally intractable, however, we can apply variational inference to estimate this value.",
    exhibits=(RULE, ESTIMATES),
)
