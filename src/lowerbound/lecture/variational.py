"""Slide 4: the bound, and the divergence that parts it from log p(x)."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from lowerbound import VariationalAutoencoder, figures
from lowerbound.figures.canvas import BLUE, GREEN, LABEL, ORANGE, TICK, dress
from lowerbound.inference import fit_posterior, mean_field
from lowerbound.lecture.bayes import RULE, Grid, contours, exact_model, zoom
from lowerbound.lecture.drawing import figure_of, heading, number, panels
from lowerbound.lecture.exhibit import Exhibit, Slide
from lowerbound.lecture.graphical import ANCESTRAL
from lowerbound.models import VAE


class Way(NamedTuple):
    """A fit of q(z), step by step."""

    grid: Grid
    steps: Tensor
    """Their numbers, [S]."""
    q: Distribution
    """q before each of these steps, batch shape [S]."""


class Terms(NamedTuple):
    """What log p(x) consists of, in nats, at each step [S]: the bound is fit − rate, and bound + gap is log p(x)."""

    steps: Tensor
    fit: Tensor
    """E_q log p(x | z)."""
    rate: Tensor
    """KL(q(z) ‖ p(z))."""
    gap: Tensor
    """KL(q(z) ‖ p(z | x))."""
    log_evidence: Tensor
    """log p(x), []."""


def variational_fit(model: VAE, grid: Grid, steps: int = 240, every: int = 4) -> Way:
    """Ascend the bound, from q = N(0, I) and without an encoder; keep q on the way."""
    family, features = mean_field(2).to(grid.z.dtype), []

    def log_joint(z: Tensor) -> Tensor:
        features.append(family.features.detach().clone())
        return model.decode(z).log_prob(grid.x) + model.prior().log_prob(z)

    fit_posterior(log_joint, family, steps=steps, learning_rate=0.1)
    return Way(grid, torch.arange(0, steps, every), family.head(torch.stack(features[:steps:every])))


def parts_of_the_evidence(model: VAE, way: Way) -> Terms:
    """The two terms of the bound and the divergence from the posterior, each computed by itself."""
    grid = way.grid
    log_q = way.q.log_prob(grid.z.unsqueeze(1))  # [points, steps]
    mass = (log_q + grid.log_cell).exp()
    fit = (mass * grid.log_likelihood.unsqueeze(1)).sum(0)
    rate = kl_divergence(way.q, model.prior())
    gap = (mass * (log_q - grid.log_posterior.unsqueeze(1))).sum(0)
    return Terms(way.steps, fit, rate, gap, grid.log_evidence)


def two_terms(vae: VariationalAutoencoder) -> Axes:
    """The learning curves of the fit that made the model of the digits."""
    return figures.learning_curves([dataclasses.asdict(epoch) for epoch in vae.history_])


def _draw_way(way: Way) -> Figure:
    chosen = [0, 3, 12, len(way.steps) - 1]
    figure, axes = panels(len(chosen), 9.6, 2.75)
    left, right, bottom, top = zoom(way.grid)
    left, right, bottom, top = min(left, -2.2), max(right, 2.2), min(bottom, -2.2), max(top, 2.2)
    log_q = way.q.log_prob(way.grid.z.unsqueeze(1))
    for ax, index in zip(axes, chosen, strict=True):
        contours(ax, way.grid, way.grid.log_posterior, filled=True)
        contours(ax, way.grid, log_q[:, index], filled=False)
        dress(ax, "$z_1$")
        ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        heading(ax, f"step {way.steps[index]}")
    axes[0].set_ylabel("$z_2$", fontsize=LABEL)
    return figure


def _draw_terms(terms: Terms) -> Figure:
    figure, (ax, near) = panels(2, 8.8, 3.2)
    bound, evidence = terms.fit - terms.rate, terms.log_evidence.item()
    for panel in (ax, near):
        panel.fill_between(
            terms.steps, bound, evidence, color=ORANGE, alpha=0.35, linewidth=0, label="KL(q(z) ‖ p(z | x))"
        )
        panel.plot(terms.steps, bound, color=BLUE, linewidth=1.6, label="bound ℒ")
        panel.axhline(evidence, color="black", linewidth=1.2, label="log p(x)")
    ax.plot(terms.steps, terms.fit, color=GREEN, linewidth=1.2, linestyle="dashed", label="$E_q$ log p(x | z)")
    dress(ax, "step", "nats")
    dress(near, "step")
    span = evidence - bound[-1].item()
    near.set_ylim(evidence - 6 * span, evidence + span)
    heading(ax, "the whole fit")
    parts = (number(value, 3) for value in (bound[-1].item(), terms.gap[-1].item(), evidence))
    heading(near, "its end: {} + {} = {}".format(*parts))
    ax.legend(frameon=False, fontsize=TICK, loc="lower right")
    return figure


WAY = Exhibit(
    name="variational-fit",
    title="A simple q moves to the posterior",
    see=(
        "The filled shape is the posterior p(z | x) of the same digit, known exactly and the same in every panel, "
        "and the lines are those of q(z).",
        "A Gaussian with independent entries begins as the prior and follows the gradient of the bound, which "
        "never asks for p(x) or for the posterior.",
        "It ends where a Gaussian loses least, within one part of the posterior, and leaves the rest out, as the "
        "reverse divergence of slide 2 did.",
    ),
    equation=r"q^* = arg \, min_q \, KL(q(z) ‖ p(z | x))",
    alt="Four panels with the same irregular posterior: the lines of q begin as wide circles around the origin "
    "and end as a small ellipse within the posterior.",
    code=variational_fit,
    given=lambda workshop: (exact_model(workshop), workshop[RULE]),
    draw=_draw_way,
)

PARTS = Exhibit(
    name="bound-and-divergence",
    title="The bound and the divergence add up to log p(x)",
    see=(
        "The blue curve is the bound at each step of that fit, and the orange area is the divergence between q(z) and "
        "p(z | x), computed by itself: together they end at the black line, log p(x), at every step.",
        "Since the line cannot move, to raise the bound and to lower the divergence are one and the same.",
        "The dashed curve is the first term of the bound, the reconstruction, and what lies between it and the "
        "blue curve is the second, KL(q(z) ‖ p(z)); the right panel shows the end, where a gap remains that no "
        "Gaussian of this kind can close.",
    ),
    equation=r"log \, p(x) = E_q [ log \, p(x | z) ] − KL(q(z) ‖ p(z)) + KL(q(z) ‖ p(z | x))",
    alt="Two panels over the steps of a fit: the bound rises towards a horizontal line, and the area between the "
    "two, the divergence, shrinks to a narrow band.",
    code=parts_of_the_evidence,
    given=lambda workshop: (exact_model(workshop), workshop[WAY]),
    draw=_draw_terms,
)

TERMS = Exhibit(
    name="two-terms",
    title="The loss of a variational autoencoder",
    see=(
        "These are the learning curves of the model that the other figures use: on the left the loss, −ELBO, in the "
        "middle and on the right its two terms.",
        "The distortion is what a reconstruction costs, −log p(x | z) averaged over draws of q(z | x), and it "
        "falls; the rate is KL(q(z | x) ‖ p(z)), what the code costs, and it rises.",
        "The model pays for a better reconstruction with a longer code as long as the sum falls.",
    ),
    equation=r"− ℒ = E_{q(z | x)} [ − log \, p(x | z) ] + KL(q(z | x) ‖ p(z))",
    alt="Three panels of curves over the epochs, of training and validation data: the negative bound and the "
    "distortion fall, the rate rises.",
    code=two_terms,
    given=lambda workshop: (workshop[ANCESTRAL].vae,),
    draw=figure_of,
)

SLIDE = Slide(
    title="The variational lower bound",
    said="If we can find a q(z) that is very similar to p(z | x), we can use it to perform approximate inference "
    "of the intractable distribution. Minimizing this KL divergence is equivalent to maximizing ℒ, the "
    "variational lower bound.",
    exhibits=(WAY, PARTS, TERMS),
)
