"""Slide 1: a latent variable z describes an observation x, and draws of x begin with a draw of z."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from lowerbound import VariationalAutoencoder, figures
from lowerbound.figures.canvas import BLUE, GREY, dress
from lowerbound.lecture.drawing import draw_graph, figure_of, heading, panels
from lowerbound.lecture.exhibit import Exhibit, Slide
from lowerbound.priors import StandardNormal


class Ancestral(NamedTuple):
    """A trained model, and n draws from it."""

    vae: VariationalAutoencoder
    z: Tensor
    """Draws of p(z), [n, 2]."""
    means: Tensor
    """The mean of p(x | z) at each, [n, 1, 8, 8]."""
    x: Tensor
    """A draw of p(x | z) at each."""


def graphical_model() -> Axes:
    """N data, each with a z of its own; one θ and one φ for all."""
    nodes = {"$z$": (0, 1.3, "latent"), "$x$": (0, 0, "observed")}
    nodes |= {"$\\theta$": (1.5, 0.65, "parameter"), "$\\varphi$": (-1.5, 0.65, "parameter")}
    model = [("$z$", "$x$"), ("$\\theta$", "$x$"), ("$\\theta$", "$z$")]
    return draw_graph(
        nodes, model, dashed=[("$x$", "$z$"), ("$\\varphi$", "$z$")], plate=(-0.8, -0.75, 1.6, 2.6, "$N$")
    )


def ancestral_sampling(images: np.ndarray, epochs: int = 200, n: int = 24) -> Ancestral:
    """Fit a model of two latent variables; then draw z from p(z), and x from p(x | z)."""
    settings = {"model.network.hidden": [128, 128], "training.learning_rate": 3e-3, "training.compile": "never"}
    vae = VariationalAutoencoder(
        2, likelihood="bernoulli", image_shape=(8, 8), epochs=epochs, settings=settings, random_state=0
    )
    model = vae.fit(images.reshape(-1, 64)).trained_.model.requires_grad_(False)
    z = StandardNormal(2)().sample((n,))
    likelihood = model.decode(z)
    return Ancestral(vae, z, likelihood.mean, likelihood.sample())


def _draw_samples(result: Ancestral) -> Figure:
    figure, (space, means, drawn) = panels(3, 8.4, 2.5)
    for radius in (1, 2):
        space.add_patch(Circle((0, 0), radius, fill=False, color=GREY, linewidth=0.6))
    space.scatter(*result.z.T, s=14, color=BLUE)
    for number, (x, y) in enumerate(result.z[:6].tolist(), 1):
        space.annotate(str(number), (x, y), xytext=(3, 3), textcoords="offset points", fontsize=8)
    dress(space, "$z_1$", "$z_2$")
    space.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal")
    heading(space, "z ~ p(z) = N(0, I)")
    for ax, images, text in ((means, result.means, "mean of p(x | z)"), (drawn, result.x, "x ~ p(x | z)")):
        figures.samples(images.numpy(), ax=ax)
        heading(ax, text)
    return figure


GRAPH = Exhibit(
    name="graphical-model",
    title="A model with a latent variable",
    see=(
        "The circle of z is white because nobody sees z, and that of x is grey because x is the data: an arrow "
        "from z to x says that x is drawn given z.",
        "The box is repeated for each of the N data, each of which has a z of its own, while the weights θ of the "
        "decoder are the same for all.",
        "The dashed arrows belong to the encoder q(z | x), with its weights φ, which goes against the arrow of "
        "the model.",
    ),
    equation="p(x, z) = p(x | z) p(z)",
    alt="A graph: an arrow from a white circle z to a grey circle x, both in a box with the label N; arrows from "
    "θ into the model, and dashed arrows from x and φ to z.",
    code=graphical_model,
    given=lambda workshop: (),
    draw=figure_of,
)

ANCESTRAL = Exhibit(
    name="ancestral-sampling",
    title="Ancestral sampling",
    see=(
        "On the left are draws of z from the prior, with circles at one and two standard deviations from its mean.",
        "In the middle each of them has become the mean of p(x | z), one picture for one z, in rows from the top left, "
        "where the six that bear numbers come first.",
        "On the right every pixel has been drawn as well: these are draws from p(x), and many of them could be "
        "digits, though training has only ever shown the decoder the z of its own encoder.",
    ),
    equation=r"z ~ p(z), \quad x ~ p(x | z)",
    alt="Three panels: points scattered around the origin of a plane, a sheet of grey digits of 8 × 8 pixels, and "
    "a sheet of the same digits in black and white.",
    code=ancestral_sampling,
    given=lambda workshop: (workshop.dataset("digits").values, workshop.epochs(ancestral_sampling)),
    draw=_draw_samples,
)

SLIDE = Slide(
    title="Generative models with latent variables",
    said="A latent variable z describes an observation x. To generate samples of p(x), we want to sample from p(z).",
    exhibits=(GRAPH, ANCESTRAL),
)
