"""How DRAW reads data and writes on its canvas: through windows, or all at once.

A reader makes the features r_t of x and the error x̂_t, a writer makes the change of the canvas of a patch; both may be
placed by numbers that the decoder gives, and these are none where there is no window. Each can carry a gradient back,
for the recurrence is differentiated by hand; what it needs for that it gives out beside its result.

References:
    Gregor, Danihelka, Graves, Rezende and Wierstra, DRAW: A recurrent neural network for image generation, 2015,
    sections 3.1 (without attention) and 3.2 (with it).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lowerbound.errors import UserError
from lowerbound.likelihoods import Bernoulli, DiscretizedLogistic, DiscretizedLogisticMixture, Likelihood
from lowerbound.nn.attention import PARAMETERS, Attention, Glimpse, Stroke, sheet, window_read, window_write


def expectation(likelihood: Likelihood, canvas: Float[Tensor, "R P *event"]) -> Float[Tensor, "R *event"]:
    """What x would be if the canvas stayed as it is: the mean of p(x | canvas), or what is as good and cheap."""
    if isinstance(likelihood, Bernoulli):
        return torch.sigmoid(canvas.squeeze(1))
    if isinstance(likelihood, DiscretizedLogistic):
        return canvas[:, 0].clamp(0, 1)  # the location, for the mean is a sum over all levels
    if isinstance(likelihood, DiscretizedLogisticMixture):
        logits, loc, _ = canvas.chunk(3, 1)
        return (logits.softmax(1) * loc).sum(1).clamp(0, 1)
    return likelihood(canvas).mean


def expectation_back(
    likelihood: Likelihood,
    canvas: Float[Tensor, "R P *event"],
    expected: Float[Tensor, "R *event"],
    gradient: Float[Tensor, "R *event"],
) -> Float[Tensor, "R P *event"]:
    """From the gradient with respect to the expectation to that with respect to the canvas."""
    if isinstance(likelihood, Bernoulli):
        return (gradient * expected * (1 - expected)).unsqueeze(1)
    return torch.func.vjp(lambda parameters: expectation(likelihood, parameters), canvas)[1](gradient)[0]


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
    ) -> tuple[Float[Tensor, "R D"], None]:
        """What is read at one step."""
        return error.flatten(1), None

    def back(
        self, x: Tensor, error: Tensor, kept: Any, gradient: Float[Tensor, "R D"], wanted: bool
    ) -> tuple[Float[Tensor, "R 0"], Float[Tensor, "R *event"], Float[Tensor, "R *event"] | None]:
        """From the gradient of what was read to those of the numbers, of the error, and of x if it is wanted."""
        nothing = gradient.new_empty(len(gradient), 0)
        return nothing, gradient.reshape(error.shape), torch.zeros_like(x) if wanted else None


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
    ) -> tuple[Float[Tensor, "R F"], Glimpse]:
        """What is read at one step."""
        glimpse = window_read(self.attention, numbers, [sheet(_to_planes(part)) for part in (x, error)])
        return glimpse.features, glimpse

    def back(
        self, x: Tensor, error: Tensor, kept: Any, gradient: Float[Tensor, "R F"], wanted: bool
    ) -> tuple[Float[Tensor, "R 5"], Float[Tensor, "R *event"], Float[Tensor, "R *event"] | None]:
        """From the gradient of what was read to those of the numbers, of the error, and of x if it is wanted."""
        sheets = [sheet(_to_planes(part)) for part in (x, error)]
        of_numbers, of_sheets = kept.gradient(self.attention, sheets, gradient, skip=0 if wanted else 1)
        of_images = [_from_sheet(each, x.shape[1:]) for each in of_sheets]
        return of_numbers, of_images[-1], of_images[0] if wanted else None


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

    def forward(
        self, patch: Float[Tensor, "R D"], numbers: Float[Tensor, "R 0"]
    ) -> tuple[Float[Tensor, "R P *event"], None]:
        """The change of the canvas."""
        return patch.reshape(-1, *self.shape), None

    def back(
        self, kept: Any, gradient: Float[Tensor, "R P *event"]
    ) -> tuple[Float[Tensor, "R 0"], Float[Tensor, "R D"]]:
        """From the gradient of the change to those of the numbers and of the patch."""
        flat = gradient.flatten(1)
        return flat[:, :0], flat


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

    def forward(
        self, patch: Float[Tensor, "R D"], numbers: Float[Tensor, "R 5"]
    ) -> tuple[Float[Tensor, "R P *event"], Stroke]:
        """The change of the canvas."""
        stroke = window_write(self.attention, numbers, patch)
        parameters, channels, *rest = self.shape
        planes = _from_sheet(stroke.change, (parameters * channels, *rest))
        return planes.unflatten(1, (parameters, channels)), stroke

    def back(
        self, kept: Any, gradient: Float[Tensor, "R P *event"]
    ) -> tuple[Float[Tensor, "R 5"], Float[Tensor, "R D"]]:
        """From the gradient of the change to those of the numbers and of the patch."""
        return kept.gradient(self.attention, sheet(_to_planes(gradient.flatten(1, 2))))


def _planes(event_shape: Sequence[int], what: str) -> tuple[int, int, int]:
    """Channels, height and width of an image; categories of pixels are channels.

    Raises:
        UserError: The data are no images.
    """
    if len(event_shape) not in (3, 4):
        raise UserError(
            f"A window needs images (channels, height, width), and the data have the shape {tuple(event_shape)}: leave "
            f"the setting {what} of DRAW at none, as --set model.family.{what}=none does."
        )
    channels, height, width, *categories = event_shape
    return channels * math.prod(categories), height, width


def _to_planes(x: Float[Tensor, "R *event"]) -> Float[Tensor, "R C H W"]:
    return x.movedim(-1, 2).flatten(1, 2) if x.ndim == 5 else x


def _from_sheet(rows: Float[Tensor, "R H CW"], shape: Sequence[int]) -> Float[Tensor, "R *event"]:
    """From the rows of all planes side by side to an image of this shape."""
    channels, _, width, *categories = shape
    if categories:
        return rows.unflatten(2, (channels, *categories, width)).permute(0, 2, 1, 4, 3)
    return rows.unflatten(2, (channels, width)).transpose(1, 2)
