"""What the steps of DRAW did, and what all of them make together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from lowerbound.models.draw.eyes import WholeReader, WholeWriter, WindowReader, WindowWriter
from lowerbound.nn.attention import Attention, Window


class Step(NamedTuple):
    """What one step did, for R rows of data."""

    z: Float[Tensor, "R Z"]
    mean: Float[Tensor, "R Z"] | None
    """Of q(z_t | x, z_<t); None where nothing is observed."""
    scale: Float[Tensor, "R Z"] | None
    """Its standard deviation."""
    canvas: Float[Tensor, "R P *event"]
    """Parameters of the likelihood, after the step."""
    read: Float[Tensor, "R n"]
    """The numbers that place the window that is read through; none without one."""
    write: Float[Tensor, "R m"]
    """The same for the window that is written through."""


class Painting(NamedTuple):
    """How n images came to be, in S steps."""

    canvas: Float[Tensor, "S n P *event"]
    """Parameters of the likelihood after each step: `model.likelihood(canvas).mean` are the pictures."""
    read: Window | None
    """Where each step read, [S, n]; None without a window, or where there was nothing to read."""
    write: Window | None
    """Where each step wrote, [S, n]; None without a window."""


def painting(steps: Sequence[Step], reader: WholeReader | WindowReader, writer: WholeWriter | WindowWriter) -> Painting:
    """The painting that some steps made with this reader and this writer."""

    def windows(attention: Attention, numbers: Sequence[Tensor]) -> Window:
        placed = attention.window(torch.cat(list(numbers)))
        return Window(*(value.unflatten(0, (len(steps), -1)) for value in placed))

    observed = steps[0].mean is not None
    return Painting(
        torch.stack([step.canvas for step in steps]),
        windows(reader.attention, [step.read for step in steps]) if reader.attention and observed else None,
        windows(writer.attention, [step.write for step in steps]) if writer.attention else None,
    )


def along(steps: Sequence[Step], particles: int) -> Distribution:
    """q with the parameters of a trajectory, batch shape [K, B], event shape [D]."""
    mean, scale = (
        torch.cat([part for part in parts if part is not None], 1).unflatten(0, (particles, -1))
        for parts in ([step.mean for step in steps], [step.scale for step in steps])
    )
    return Independent(Normal(mean, scale, validate_args=False), 1, validate_args=False)
