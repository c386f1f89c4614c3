"""Slide 5: the reparameterization trick, as graphs, as a distribution of gradients, and as learning curves.

References:
    Kingma, Variational inference and deep learning, 2017, figure 2.3; first shown in a talk of 2015.
    Doersch, Tutorial on variational autoencoders, 2016, figure 4.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Independent, Normal

from lowerbound import VariationalAutoencoder
from lowerbound.figures.canvas import BLUE, GREY, TICK, VERMILLION, dress
from lowerbound.lecture.bayes import RULE, exact_model
from lowerbound.lecture.drawing import draw_graph, figure_of, heading, number, panels
from lowerbound.lecture.exhibit import Exhibit, Slide
from lowerbound.lecture.workshop import Workshop
from lowerbound.models import VAE


class Variances(NamedTuple):
    """Variances of the mean of K gradients, summed over the entries of μ."""

    sizes: Tensor
    """K, [S]."""
    pathwise: Tensor
    """[S]."""
    score_function: Tensor
    """[S]."""


def around_the_draw(left: Axes, right: Axes) -> Axes:
    """f(z) with z drawn from q; and with z computed from noise that does not depend on φ."""
    nodes = {"$f$": (0, 3, "layer"), "$\\varphi$": (-1, 0, "parameter"), "$x$": (0, 0, "observed")}
    drawn = nodes | {"z ~ q(z | φ, x)": (0, 1.5, "draw")}
    computed = nodes | {"z = g(φ, x, ε)": (0, 1.5, "layer"), "ε ~ p(ε)": (1.6, 0, "draw")}
    for ax, z, graph in ((left, "z ~ q(z | φ, x)", drawn), (right, "z = g(φ, x, ε)", computed)):
        edges = [("$\\varphi$", z), ("$x$", z), (z, "$f$")] + [("ε ~ p(ε)", z)] * (graph is computed)
        title = "with the trick" if graph is computed else "without the trick"
        draw_graph(graph, edges, title=title, ax=ax)
    return right


def doersch_networks(left: Axes, right: Axes) -> Axes:
    """The network that trains a variational autoencoder, without and with the trick."""
    first, last, loss, kl = "Encoder\n(Q)", "Decoder\n(P)", "‖X − f(z)‖²", "KL[N(μ(X), Σ(X))\n‖ N(0, I)]"
    z, noise = "Sample z from\nN(μ(X), Σ(X))", "Sample ε\nfrom N(0, I)"
    both = {"X": (0, 0, "observed"), first: (0, 1, "layer"), "μ(X)": (-0.7, 2, "layer"), "Σ(X)": (0.7, 2, "layer")}
    both |= {kl: (-2.6, 3.7, "loss"), last: (0, 5, "layer"), "f(z)": (0, 6, "layer"), loss: (0, 7, "loss")}
    flow = [("X", first), (first, "μ(X)"), (first, "Σ(X)"), ("μ(X)", kl), ("Σ(X)", kl), (last, "f(z)"), ("f(z)", loss)]
    drawn = [("μ(X)", z), ("Σ(X)", z), (z, last)]
    draw_graph(both | {z: (0, 3.5, "draw")}, flow + drawn, title="without the trick", ax=left)
    trick = {noise: (2.4, 2, "draw"), "×": (0.7, 3.2, "sum"), "+": (0, 4, "sum")}
    moved = [("Σ(X)", "×"), (noise, "×"), ("×", "+"), ("μ(X)", "+"), ("+", last)]
    return draw_graph(both | trick, flow + moved, title="with the trick", ax=right)


def single_draw_gradients(model: VAE, x: Tensor, draws: int = 2**15) -> Tensor:
    """∂ℒ/∂μ at q = N(0, I) from one z each: [2, draws, 2], through z, and by the score function."""
    gradients = []
    for pathwise in (True, False):
        mean = torch.zeros(draws, 2, dtype=x.dtype, requires_grad=True)
        q = Independent(Normal(mean, torch.ones_like(mean)), 1)
        z = q.rsample() if pathwise else q.sample()
        bound = model.decode(z).log_prob(x) + model.prior().log_prob(z) - q.log_prob(z)
        surrogate = bound if pathwise else bound.detach() * q.log_prob(z)
        gradients += torch.autograd.grad(surrogate.sum(), mean)
    return torch.stack(gradients)


def variance_of_means(gradients: Tensor, largest: int = 8) -> Variances:
    """The variance of the mean of K = 1, 2, 4, … of these gradients."""
    sizes = 2 ** torch.arange(largest + 1)
    means = [gradients.unflatten(1, (-1, int(size))).mean(2) for size in sizes]
    return Variances(sizes, *torch.stack([mean.var(1).sum(-1) for mean in means], 1))


def training_curves(images: np.ndarray, epochs: int = 60) -> dict[str, list[float]]:
    """−ELBO in each epoch of two trainings that differ in the encoder's gradient alone, with 20 latent variables."""
    kind = {"likelihood": "bernoulli", "image_shape": (8, 8), "random_state": 0}
    fixed = {"model.network.hidden": [128, 128], "training.learning_rate": 3e-3, "training.compile": "never"}
    curves = {}
    for gradient in ("pathwise", "score-function"):
        settings = fixed | {"objective.particles": 2, "objective.gradient": gradient}
        vae = VariationalAutoencoder(20, epochs=epochs, settings=settings, **kind).fit(images.reshape(-1, 64))
        curves[gradient] = [epoch.distortion + epoch.rate for epoch in vae.history_]
    return curves


_NAMES = "through z (pathwise)", "score function"


def _draw_gradients(gradients: Tensor) -> Figure:
    figure, axes = panels(2, 8.4, 2.9)
    truth = gradients[0].mean(0)
    for ax, each, color, text in zip(axes, gradients, (BLUE, VERMILLION), _NAMES, strict=True):
        first = each[:, 0]
        reach = (first - truth[0]).abs().quantile(0.995).item()
        edges = torch.linspace(-reach, reach, 61, dtype=first.dtype) + truth[0]
        ax.hist(first.numpy(), bins=edges.tolist(), color=color, alpha=0.8, density=True)
        ax.axvline(first.mean().item(), color="black", linewidth=1.2)
        dress(ax, "$\\partial \\mathcal{L} / \\partial \\mu_1$ from one draw", "density")
        mean, spread = first.mean().item(), first.std().item()
        error = spread / math.sqrt(len(first))
        heading(ax, f"{text}: {number(mean, 2)} ± {number(error, 2)}, std. dev. {number(spread, 1)}")
    return figure


def _draw_variances(result: Variances) -> Figure:
    figure, (ax,) = panels(1, 5.6, 3.2)
    for values, color, marker, text in (
        (result.score_function, VERMILLION, "s", _NAMES[1]),
        (result.pathwise, BLUE, "o", _NAMES[0]),
    ):
        ax.loglog(result.sizes, values, color=color, marker=marker, markersize=4, linewidth=1.4, label=text)
        ax.loglog(result.sizes, values[0] / result.sizes, color=GREY, linewidth=0.8, linestyle="dotted")
    ratio = (result.score_function / result.pathwise)[0].item()
    dress(ax, "draws that are averaged, K", "variance of the gradient")
    heading(ax, f"the score function needs {ratio:.0f} draws for one")
    ax.legend(frameon=False, fontsize=TICK)
    return figure


def _draw_curves(curves: dict[str, list[float]]) -> Figure:
    figure, (ax,) = panels(1, 5.6, 3.2)
    for (curve, color, style), text in zip(
        ((curves["score-function"], VERMILLION, "dashed"), (curves["pathwise"], BLUE, "solid")),
        _NAMES[::-1],
        strict=True,
    ):
        ax.plot(range(1, len(curve) + 1), curve, color=color, linestyle=style, linewidth=1.6, label=text)
    dress(ax, "epoch", "−ELBO of the training data (nats)")
    ax.legend(frameon=False, fontsize=TICK)
    return figure


def _two_axes(workshop: Workshop) -> tuple[Axes, ...]:
    return tuple(panels(2, 7.2, 3.0, one_scale=True)[1])


def _two_high_axes(workshop: Workshop) -> tuple[Axes, ...]:
    return tuple(panels(2, 8.6, 5.6, one_scale=True)[1])


AROUND = Exhibit(
    name="around-the-draw",
    title="Backpropagation around a draw",
    see=(
        "On the left z is drawn from a distribution that φ sets, and no derivative goes through a draw, which is "
        "orange.",
        "On the right the draw has moved to the side, to a noise ε that nothing sets, and z is computed from it: "
        "z = μ + σ ε.",
        "Both have the same z in distribution, but on the right every arrow from φ to f is a function with a "
        "derivative.",
    ),
    equation="∇_φ E_{q_φ(z | x)} [ f(z) ] = E_{p(ε)} [ ∇_φ f(g(φ, x, ε)) ]",
    alt="Two graphs from φ and x to f: on the left through an orange node where z is drawn, on the right through "
    "a node where z is computed, into which an orange node of noise leads.",
    code=around_the_draw,
    given=_two_axes,
    draw=figure_of,
)

NETWORKS = Exhibit(
    name="doersch-networks",
    title="The same as two networks",
    see=(
        "Orange boxes draw, blue boxes are terms of the loss, and the flow is upwards, from the data X to its "
        "reconstruction.",
        "On the left the decoder's error cannot reach the encoder, because a draw stands between the two.",
        "On the right the draw is an input like X, multiplied by the standard deviation and added to the mean; "
        "forwards the two networks do the same, backwards only the right one works.",
    ),
    equation=r"z = μ(X) + Σ^{1/2}(X) \, ε, \quad ε ~ N(0, I)",
    alt="Two networks drawn upwards from X through encoder, mean and covariance to the decoder and the loss; on "
    "the left a draw stands before the decoder, on the right a product and a sum with noise from the side.",
    code=doersch_networks,
    given=_two_high_axes,
    draw=figure_of,
)

GRADIENTS = Exhibit(
    name="gradients",
    title="What one draw says about the gradient",
    see=(
        "Each histogram has 32,768 estimates of the same derivative, that of the bound with respect to the first "
        "mean of q where the fit of slide 4 begins, from one draw of z each.",
        "Both are right on average: the black lines are their means, which stand in the headings with their "
        "standard errors and agree.",
        "But mind the scales of the two axes, since the score function, which knows the value of the bound and "
        "not its slope, is spread several times wider.",
    ),
    equation=r"∇_μ ℒ = E_{p(ε)} [ ∇_μ \, log \, w(μ + σ ε) ] = E_q [ log \, w(z) \, ∇_μ \, log \, q(z) ], "
    r"\quad w(z) = p(x, z) / q(z)",
    alt="Two histograms of estimates of one derivative with about the same mean; the one of the score function is "
    "several times wider.",
    code=single_draw_gradients,
    given=lambda workshop: (exact_model(workshop), workshop[RULE].x),
    draw=_draw_gradients,
)

VARIANCES = Exhibit(
    name="variance-against-draws",
    title="Variance against sample size",
    see=(
        "To average over K draws divides the variance by K, for both: the dotted lines say so.",
        "What parts the curves is the same factor everywhere, the number in the heading, and more draws do not make "
        "it smaller.",
        "Read across instead of down: it is the number of draws of the score function that are worth one draw "
        "through z.",
    ),
    equation=r"Var [ \frac{1}{K} ∑_{k=1}^K g_k ] = \frac{1}{K} \, Var [ g_1 ]",
    alt="Two parallel straight lines that fall on logarithmic scales, that of the score function far above the other.",
    code=variance_of_means,
    given=lambda workshop: (workshop[GRADIENTS],),
    draw=_draw_variances,
)

CURVES = Exhibit(
    name="training-curves",
    title="Training with and without it",
    see=(
        "Both curves are the loss of the same network, with 20 latent variables, on the same digits in the same "
        "order, from the same weights.",
        "The solid one has its gradients through z; the dashed one has the score function, and already the best "
        "of it, with the other draw's value as a baseline.",
        "Both fall, since both gradients are right on average, and the second is behind all the way.",
    ),
    equation=r"∇_φ ℒ = E_q [ (log \, w(z_1) − log \, w(z_2)) \, ∇_φ \, log \, q_φ(z_1 | x) ]",
    alt="Two falling curves over the epochs: the solid one, with gradients through z, lies below the dashed one "
    "of the score function.",
    code=training_curves,
    given=lambda workshop: (workshop.dataset("digits").values, workshop.epochs(training_curves)),
    draw=_draw_curves,
)

SLIDE = Slide(
    title="The reparameterization trick",
    said="The reparameterization trick allows backpropagation through (or around) samples from a random distribution.",
    exhibits=(AROUND, NETWORKS, GRADIENTS, VARIANCES, CURVES),
)
