"""How DRAW reads data and writes on its canvas: through windows, or all at once.

A reader makes the features r_t of x and the error x̂_t, a writer makes the change of the canvas of a patch; both may be
placed by numbers that the decoder gives, and these are none where there is no window.

References:
    Gregor, Danihelka, Graves, Rezende and Wierstra, DRAW: A recurrent neural network for image generation, 2015,
    sections 3.1 (without attention) and 3.2 (with it).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import singledispatch

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lowerbound.errors import UserError
from lowerbound.likelihoods import DiscretizedLogistic, DiscretizedLogisticMixture, Likelihood
from lowerbound.nn.attention import PARAMETERS, Attention, read, write


@singledispatch
def expectation(likelihood: Likelihood, canvas: Float[Tensor, "R P *event"]) -> Float[Tensor, "R *event"]:
    """What x would be if the canvas stayed as it is: the mean of p(x | canvas), or what is as good and cheap."""
    return likelihood(canvas).mean


@expectation.register
def _(likelihood: DiscretizedLogistic, canvas: Tensor) -> Tensor:
    """The location, for the mean is a sum over all levels."""
    return canvas[:, 0].clamp(0, 1)


@expectation.register
def _(likelihood: DiscretizedLogisticMixture, canvas: Tensor) -> Tensor:
    logits, loc, _ = canvas.chunk(3, 1)
    return (logits.softmax(1) * loc).sum(1).clamp(0, 1)


class WholeReader(nn.Module):
    """r = [x, x̂], for data of any shape. The part x is the same at every step, and given apart.

    Args:
        event_shape: Of a datum.
    """

    attention: Attention | None = None
    numbers = 0

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.features = self.constant_features = math.prod(event_shape)

    def constant(self, x: Float[Tensor, "R *event"]) -> Float[Tensor, "R D"]:
        """What is read at every step."""
        return x.flatten(1)

    def forward(
        self, x: Float[Tensor, "R *event"], error: Float[Tensor, "R *event"], numbers: Float[Tensor, "R 0"]
    ) -> Float[Tensor, "R D"]:
        """What is read at one step."""
        return error.flatten(1)


class WindowReader(nn.Module):
    """r = γ [F_Y x F_Xᵀ, F_Y x̂ F_Xᵀ] (equation 27), of every channel.

    Args:
        event_shape: Of an image.
        size: Filters along each side of the window.

    Raises:
        UserError: The data are no images, or the size does not fit them.
    """

    numbers = PARAMETERS
    constant_features = 0

    def __init__(self, event_shape: Sequence[int], size: int) -> None:
        super().__init__()
        channels, height, width = _planes(event_shape, "read")
        self.attention = Attention(size, height, width)
        self.features = 2 * channels * size**2

    def constant(self, x: Float[Tensor, "R *event"]) -> Float[Tensor, "R 0"]:
        """Nothing is read at every step."""
        return x.new_empty(len(x), 0)

    def forward(
        self, x: Float[Tensor, "R *event"], error: Float[Tensor, "R *event"], numbers: Float[Tensor, "R 5"]
    ) -> Float[Tensor, "R F"]:
        """What is read at one step."""
        filters, intensity = self.attention(numbers)
        patches = [read(_to_planes(images), filters).flatten(1) for images in (x, error)]
        return torch.cat(patches, 1) * intensity.unsqueeze(1)


class WholeWriter(nn.Module):
    """The patch is a whole canvas.

    Args:
        likelihood: Whose parameters the canvas holds.
    """

    attention: Attention | None = None
    numbers = 0

    def __init__(self, likelihood: Likelihood) -> None:
        super().__init__()
        self.shape = likelihood.parameter_shape
        self.patch = math.prod(self.shape)

    def forward(self, patch: Float[Tensor, "R D"], numbers: Float[Tensor, "R 0"]) -> Float[Tensor, "R P *event"]:
        """The change of the canvas."""
        return patch.reshape(-1, *self.shape)


class WindowWriter(nn.Module):
    """The patch w becomes F_Yᵀ w F_X / γ (equation 29), for every channel and parameter.

    Args:
        likelihood: Whose parameters the canvas holds, for images.
        size: Filters along each side of the window.

    Raises:
        UserError: The data are no images, or the size does not fit them.
    """

    numbers = PARAMETERS

    def __init__(self, likelihood: Likelihood, size: int) -> None:
        super().__init__()
        channels, height, width = _planes(likelihood.event_shape, "write")
        self.shape = likelihood.parameter_shape
        self.attention = Attention(size, height, width)
        self.patch = self.shape[0] * channels * size**2

    def forward(self, patch: Float[Tensor, "R D"], numbers: Float[Tensor, "R 5"]) -> Float[Tensor, "R P *event"]:
        """The change of the canvas."""
        size = self.attention.size
        filters, intensity = self.attention(numbers)
        planes = write((patch / intensity.unsqueeze(1)).unflatten(1, (-1, size, size)), filters)
        parameters, channels, height, width, *categories = self.shape
        if categories:
            return planes.unflatten(1, (parameters, channels, *categories)).movedim(3, -1)
        return planes.view(-1, parameters, channels, height, width)


def _planes(event_shape: Sequence[int], what: str) -> tuple[int, int, int]:
    """Channels, height and width of an image; categories of pixels are channels.

    Raises:
        UserError: The data are no images.
    """
    if len(event_shape) not in (3, 4):
        raise UserError(
            f"A window needs images (channels, height, width), and the data have the shape {tuple(event_shape)}: leave "
            f"the setting {what} of DRAW at none."
        )
    channels, height, width, *categories = event_shape
    return channels * math.prod(categories), height, width


def _to_planes(x: Float[Tensor, "R *event"]) -> Float[Tensor, "R C H W"]:
    return x.movedim(-1, 2).flatten(1, 2) if x.ndim == 5 else x
