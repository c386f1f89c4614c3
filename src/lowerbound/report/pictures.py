"""Figures within a page: their titles and captions, and their bytes, which a page carries with it."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

# Bytes of a picture within a page; ten of them, a third larger as text, are below three million.
_MOST = 200_000
# By how much a picture shrinks at least that is still too large with 256 colours.
_SMALLER = 0.9
# Those that are lines and text; of the others the pixels are what counts.
_DRAWINGS = ("learning-curves", "kl-per-latent", "prior-and-posterior")

_WORDS = {
    "samples": (
        "Samples",
        "What the model makes up: z from the prior, decoded. Do they look like the data, are all kinds of it there?",
    ),
    "reconstructions": (
        "Reconstructions",
        "Data, and what comes back from its code. What is lost here costs distortion.",
    ),
    "learning-curves": (
        "Learning curves",
        "Nats per datum over the epochs; −ELBO is the sum of distortion and rate. A validation curve that rises while "
        "that of the training falls is a sign of overfitting.",
    ),
    "latent-space": (
        "Latent space",
        "Where data lies. The labels were never shown to the model, unless it is conditional.",
    ),
    "manifold": (
        "Manifold",
        "What is decoded over the whole latent space, in steps of equal probability under the prior.",
    ),
    "traversals": (
        "Traversals",
        "What single latent dimensions change, the most used ones first: in a row one moves, the others stay.",
    ),
    "interpolation": (
        "Interpolation",
        "What lies between two data. A model that has understood them passes through things that might be data too.",
    ),
    "kl-per-latent": (
        "KL of each latent dimension",
        "What each dimension of the code costs, and so how much it carries. Those near zero are not used.",
    ),
    "prior-and-posterior": (
        "Prior and aggregate posterior",
        "Where samples come from, against where the codes of data lie. Samples are poor where only the prior has mass.",
    ),
    "painting": (
        "Painting",
        "How pictures come to be, step by step, and through which windows the model writes.",
    ),
}


class Picture(NamedTuple):
    """A figure as a page shows it."""

    name: str
    title: str
    caption: str
    address: str
    """A data URI, which holds all of it."""


def picture(name: str, drawn: Axes, most: int = _MOST) -> Picture:
    """A figure of a run for a page.

    Args:
        name: Of the figure (see `illustrate.FIGURES`).
        drawn: The figure itself.
        most: Bytes that it may have.
    """
    title, caption = _WORDS.get(name, (name.replace("-", " ").capitalize(), ""))
    return Picture(name, title, caption, embedded(drawn, as_drawing=name in _DRAWINGS, most=most))


def embedded(drawn: Axes, *, as_drawing: bool, most: int = _MOST) -> str:
    """A figure as a data URI.

    Args:
        drawn: The figure.
        as_drawing: As SVG, unless that is too long.
        most: Bytes that it may have.
    """
    figure = drawn.get_figure(root=True)
    assert isinstance(figure, Figure)
    if as_drawing:
        file = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "lowerbound"}):
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        if file.tell() <= most:
            return _address("image/svg+xml", file.getvalue())
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=figure.dpi)
    return _address("image/png", _small(file, most))


def _small(file: io.BytesIO, most: int) -> bytes:
    """The picture in few bytes: in all its colours, in 256 of them, or smaller."""
    image = Image.open(file).convert("RGB")
    data = _png(image)
    if len(data) > most:
        data = _png(image.quantize(256, dither=Image.Dither.NONE))
    while len(data) > most and min(image.size) > 1:
        smaller = min(_SMALLER, (most / len(data)) ** 0.5)
        size = round(image.width * smaller), round(image.height * smaller)
        image = image.resize(size, Image.Resampling.LANCZOS)
        data = _png(image.quantize(256, dither=Image.Dither.NONE))
    return data


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
