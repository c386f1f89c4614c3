"""Slide 6: planes of latent variables for data of many dimensions.

References:
    Kingma and Welling, Auto-encoding variational Bayes, 2013, figure 4.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowerbound import VariationalAutoencoder, figures
from lowerbound.lecture.drawing import figure_of, heading, panels
from lowerbound.lecture.exhibit import Exhibit, Slide
from lowerbound.lecture.graphical import ANCESTRAL
from lowerbound.lecture.workshop import Workshop


def plane_and_codes(
    vae: VariationalAutoencoder, images: np.ndarray, labels: np.ndarray, left: Axes, right: Axes
) -> Axes:
    """What each point of the plane is decoded to, and where the data lies in it."""
    figures.manifold(vae.trained_.model, 12, ax=left)
    codes = vae.trained_.encode(images)
    return figures.latent_scatter(codes, labels, ax=right)


def plane_of_digits(images: np.ndarray, ax: Axes, epochs: int = 15) -> Axes:
    """Fit the model of Kingma and Welling to images of 28 × 28 pixels, and decode a grid of its plane."""
    kind = {"recipe": "kingma-welling-2013", "likelihood": "bernoulli", "image_shape": (28, 28)}
    settings = {"training.learning_rate": 3e-3, "training.compile": "never"}
    vae = VariationalAutoencoder(epochs=epochs, settings=settings, random_state=0, **kind)
    trained = vae.fit(images.reshape(-1, 784)).trained_
    return figures.manifold(trained.model, 15, ax=ax)


def plane_of_faces(images: np.ndarray, ax: Axes, epochs: int = 50) -> Axes:
    """The same for images of 28 × 20 grey levels, which a Gaussian describes, with their mean and scale restored."""
    kind = {"recipe": "kingma-welling-2013", "likelihood": "gaussian", "image_shape": (28, 20)}
    settings = {"training.learning_rate": 3e-3, "training.compile": "never"}
    vae = VariationalAutoencoder(epochs=epochs, settings=settings, random_state=0, **kind)
    trained = vae.fit(images.reshape(-1, 560)).trained_
    return figures.manifold(trained.model, 15, restore=trained.preparation.restore, limits=(0, 255), ax=ax)


def _given_digits(workshop: Workshop) -> tuple[object, ...]:
    left, right = panels(2, 9.2, 4.5)[1]
    digits = workshop.dataset("digits")
    return workshop[ANCESTRAL].vae, digits.values, digits.labels, left, right


def _given_mnist(workshop: Workshop) -> tuple[object, ...]:
    images = workshop.dataset("mnist").values[:20_000]
    return images, panels(1, 5.4, 5.4)[1][0], workshop.epochs(plane_of_digits)


def _given_faces(workshop: Workshop) -> tuple[object, ...]:
    return workshop.dataset("frey-faces").values, panels(1, 4.5, 6.0)[1][0], workshop.epochs(plane_of_faces)


def _draw_digits(ax: Axes) -> Figure:
    figure = figure_of(ax)
    for panel, text in zip(figure.axes, ("decoded", "encoded"), strict=True):
        heading(panel, text)
    return figure


DIGITS = Exhibit(
    name="digits-plane",
    title="Digits of 8 × 8 pixels",
    see=(
        "On the left a grid of points z, uniform in probability under the prior, has been decoded: neighbours "
        "resemble each other, and one digit becomes another without a break.",
        "On the right every datum stands at the mean of its q(z | x), coloured by its label, which the model has "
        "never seen.",
        "The regions of the right panel are those of the left one, apart from the scale: 64 pixels have become "
        "two numbers that still tell most of the digits apart.",
    ),
    equation=r"z_{i j} = (Φ^{−1}(p_i), Φ^{−1}(p_j)), \quad x_{i j} = E [ x | z_{i j} ]",
    alt="On the left a grid of digits that change slowly from one to the next; on the right a scatter of points "
    "in ten colours, each with its digit.",
    code=plane_and_codes,
    given=_given_digits,
    draw=_draw_digits,
)

MNIST = Exhibit(
    name="mnist-plane",
    title="MNIST",
    see=(
        "The same for 20,000 images of MNIST, with the network of Kingma and Welling: one hidden layer of 500 "
        "tanh units.",
        "Each digit has a region of its own, and what lies between two regions is between the two in its looks.",
        "The blurred ones are where the decoder must serve several kinds of digit at once, for which two "
        "dimensions are too few.",
    ),
    equation=r"q(z | x) = N(μ(x), diag \, σ^2(x)), \quad z ∈ R^2",
    alt="A grid of 15 × 15 handwritten digits that change slowly from one to the next.",
    code=plane_of_digits,
    given=_given_mnist,
    draw=figure_of,
    needs="mnist",
)

FACES = Exhibit(
    name="faces-plane",
    title="Frey faces",
    see=(
        "The same for 1,965 frames of a film of one face, with a Gaussian p(x | z).",
        "Over the plane the head turns and the expression changes, though nobody has told the model of either.",
        "That is what the slide means by a coordinate system of a manifold: of 560 pixels, all but about two "
        "directions of change never happen.",
    ),
    equation=r"p(x | z) = N(f(z), σ^2 I), \quad z ∈ R^2",
    alt="A grid of 15 × 15 small portraits of one man: his head turns and his expression changes from one to the next.",
    code=plane_of_faces,
    given=_given_faces,
    draw=figure_of,
    needs="frey-faces",
)

SLIDE = Slide(
    title="Two-dimensional manifolds",
    said="Examples of 2-D coordinate systems for high-dimensional manifolds, learned by a variational autoencoder.",
    exhibits=(DIGITS, MNIST, FACES),
)
