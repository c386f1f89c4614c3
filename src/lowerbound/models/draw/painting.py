"""How images come to be, as the steps of DRAW paint them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lowerbound.models.draw.course import Moment
from lowerbound.models.draw.eyes import WholeReader, WholeWriter, WindowReader, WindowWriter
from lowerbound.nn.attention import Attention, Window


class Painting(NamedTuple):
    """How n images came to be, in S steps."""

    canvas: Float[Tensor, "S n P *event"]
    """Parameters of the likelihood after each step: `model.likelihood(canvas).mean` are the pictures."""
    read: Window | None
    """Where each step read, [S, n]; None without a window, or where there was nothing to read."""
    write: Window | None
    """Where each step wrote, [S, n]; None without a window."""


def painting(
    moments: Sequence[Moment], reader: WholeReader | WindowReader, writer: WholeWriter | WindowWriter
) -> Painting:
    """The painting of which these were the moments, with this reader and this writer."""

    def windows(attention: Attention | None, numbers: Sequence[Tensor | None]) -> Window | None:
        placing = [each for each in numbers if each is not None]
        if attention is None or not placing:
            return None
        placed = attention.window(torch.cat(placing))
        return Window(*(value.unflatten(0, (len(placing), -1)) for value in placed))

    return Painting(
        torch.stack([moment.canvas for moment in moments]),
        windows(reader.attention, [moment.read for moment in moments]),
        windows(writer.attention, [moment.write for moment in moments]),
    )
