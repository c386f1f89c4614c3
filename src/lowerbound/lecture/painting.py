"""Slide 7: a conventional variational autoencoder beside DRAW.

References:
    Gregor, Danihelka, Graves, Rezende and Wierstra, DRAW: A recurrent neural network for image generation, 2015,
    figures 2 and 7.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lowerbound import VariationalAutoencoder, figures
from lowerbound.lecture.drawing import DPI, draw_graph, figure_of, panels
from lowerbound.lecture.exhibit import Exhibit, Slide
from lowerbound.lecture.graphical import ANCESTRAL
from lowerbound.lecture.workshop import Workshop
from lowerbound.run import Run, pretrained
from lowerbound.trained import Painted, Trained

# Images of either model.
_ROWS = 6
# The run that came with the library.
_TRAINED = "draw-mnist"


class Pictures(NamedTuple):
    """Draws of two models, in levels from 0 to 16."""

    at_once: np.ndarray
    """Of a conventional model, [N, 1, 8, 8]."""
    painted: Painted
    """Of DRAW, with every canvas."""


def two_networks(left: Axes, right: Axes) -> Axes:
    """A conventional variational autoencoder, and two steps of DRAW."""
    once = {"x": (0, 0, "observed"), "encoder": (0, 2, "layer"), "z ~ q": (0, 3, "draw")}
    once |= {"decoder": (0, 4, "layer"), "p(x | z)": (0, 6, "loss")}
    draw_graph(once, list(pairwise(once)), title="conventional", ax=left)
    names, steps = ("read", "encoder", "z ~ q", "decoder", "write", "canvas"), (1, 2)
    each = {f"{a} {t}": (3 * t, y, "draw" if y == 3 else "layer") for t in steps for y, a in enumerate(names, 1)}
    each |= {"x": (4.5, 0, "observed"), "p(x | z)": (8.5, 6, "loss")}
    up = [(f"{a} {t}", f"{b} {t}") for t in steps for a, b in pairwise(names)]
    across = [(f"{a} 1", f"{a} 2") for a in names if a in ("encoder", "decoder", "canvas")]
    ends = [("x", "read 1"), ("x", "read 2"), ("decoder 1", "read 2"), ("canvas 2", "p(x | z)")]
    return draw_graph(each, up + across + ends, title="DRAW", ax=right)


def fit_draw(images: np.ndarray, epochs: int = 70) -> Trained:
    """A small DRAW of the digits: five steps of three latent variables each, and windows of 5 × 5."""
    family = {"steps": 5, "first_steps": "none", "units": 128, "read": 5, "write": 5}
    settings = {f"model.family.{name}": value for name, value in family.items()}
    settings |= {"training.learning_rate": 0.01, "training.batch_size": 100}
    settings |= {"training.compile": "never", "training.precision": "float32"}
    kind = {"recipe": "draw", "likelihood": "bernoulli", "image_shape": (8, 8), "random_state": 0}
    draw = VariationalAutoencoder(3, epochs=epochs, settings=settings, **kind)
    return draw.fit(images.reshape(-1, 64)).trained_


def paint(conventional: Trained, draw: Trained, n: int) -> Pictures:
    """The means of n draws from either model: at once, and canvas by canvas."""
    return Pictures(conventional.sample(n, mean=True), draw.paint(n, seed=1))


def paint_mnist(name: str, n: int) -> Painted:
    """The means of n draws of a DRAW that came with the library, canvas by canvas."""
    return Run.open(name).load().paint(n)


def _draw_pictures(result: Pictures) -> Figure:
    figure, (ax,) = panels(1, 5.2, 5.6)
    figures.painting_sheet(result.painted, result.at_once, limits=(0, 16), ax=ax)
    ax.set_xticks(ax.get_xticks(), ["conventional", *(label.get_text() for label in ax.get_xticklabels()[1:])])
    ax.set_xlabel("step of DRAW")
    return figure


def _draw_mnist(painted: Painted) -> Figure:
    figure, (ax,) = panels(1, 8.8, 4.6)
    figures.painting_sheet(painted, limits=(0, 255), ax=ax)
    return figure


def _two_axes(workshop: Workshop) -> tuple[Axes, ...]:
    figure = Figure(figsize=(7.6, 4.4), dpi=DPI, layout="constrained")
    return tuple(figure.subplots(1, 2, width_ratios=(1, 3), sharey=True))


def _given_models(workshop: Workshop) -> tuple[object, ...]:
    draw = fit_draw(workshop.dataset("digits").values[:], workshop.epochs(fit_draw))
    return workshop[ANCESTRAL].vae.trained_, draw, _ROWS


NETWORKS = Exhibit(
    name="draw-network",
    title="Once, or in steps",
    see=(
        "On the left the network of the slides before: one encoder, one draw of z, one decoder.",
        "On the right two steps of DRAW: in each it reads from x, draws a z of its own, and writes on the canvas "
        "of the step before.",
        "The decoder's state goes to the next reading too, so that what has been painted decides where to look "
        "next, and only the last canvas is held against x.",
    ),
    equation=r"c_t = c_{t−1} + write(h_t), \quad p(x | z_1, …, z_T) = p(x | c_T)",
    alt="Two networks drawn upwards from x: a chain of encoder, draw and decoder; and two such chains side by "
    "side with reading and writing, joined by arrows between encoders, decoders and canvases.",
    code=two_networks,
    given=_two_axes,
    draw=figure_of,
)

PAINTING = Exhibit(
    name="painting",
    title="Conventional, and DRAW painting",
    see=(
        "The column on the left has draws of the model of slide 1: each picture comes out of the decoder at once.",
        "To its right each row is one draw of DRAW, whose canvas begins grey and becomes something like a digit "
        "in five steps.",
        "The rectangles are the windows that it writes through, which it places itself: on images as small as "
        "these they stay nearly as large as the image, on larger ones they follow the strokes.",
    ),
    equation=r"log \, p(x) ≥ E_q [ log \, p(x | z_1, …, z_T) ] − "
    r"∑_{t=1}^T E_q [ KL(q(z_t | x, z_1, …, z_{t−1}) ‖ p(z_t)) ]",
    alt="A column of six digits, and beside it six rows in which a grey square becomes a digit in five steps, "
    "with rectangles where the model writes.",
    before=fit_draw,
    code=paint,
    given=_given_models,
    draw=_draw_pictures,
)

MNIST = Exhibit(
    name="painting-mnist",
    title="DRAW painting MNIST",
    see=(
        "Each row is one draw of a larger DRAW, which has learned from MNIST for hours rather than seconds.",
        "Of its steps some are shown, the first and the last among them.",
        "On images of 28 × 28 pixels the windows have room to move, and the digit comes to be where they pass.",
    ),
    equation=r"write(h_t) = \frac{1}{γ} F_Y^T w_t F_X",
    alt="Six rows in which an empty square becomes a handwritten digit, with rectangles where the model writes.",
    code=paint_mnist,
    given=lambda workshop: (_TRAINED, _ROWS),
    draw=_draw_mnist,
)

# The last figure is there where the run is that it shows.
SLIDE = Slide(
    title="Conventional, and DRAW",
    said="Left: Conventional Variational Auto-Encoder, Right: DRAW Network.",
    exhibits=(NETWORKS, PAINTING, *([MNIST] if _TRAINED in pretrained() else [])),
)
