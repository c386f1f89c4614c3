"""Likelihoods of the levels of an integer scale, and of categories."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, OneHotCategorical

from lowerbound.distributions import DiscretizedLogistic as DiscretizedLogisticDistribution
from lowerbound.distributions import DiscretizedLogisticMixture as DiscretizedLogisticMixtureDistribution
from lowerbound.likelihoods.likelihood import Likelihood


class DiscretizedLogistic(Likelihood):
    """Levels of an integer scale, rescaled to [0, 1]; the parameters are location and log-scale.

    Args:
        event_shape: Shape of one datum.
        levels: How many there are: 256 for 8-bit pixels.

    Raises:
        ValueError: Fewer than two levels.
    """

    preparation = "rescale"
    parameters_per_entry = 2
    # A logistic narrower than a fiftieth of a level, or far wider than the scale, is the same mass to float32.
    bounds: ClassVar[tuple[float, float]] = (-10.0, 5.0)

    def __init__(self, event_shape: Sequence[int], levels: int = 256) -> None:
        super().__init__(event_shape)
        if levels < 2:
            raise ValueError(f"levels must be at least 2, not {levels}.")
        self.levels = levels

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Discretized logistic with the given location and log-scale."""
        loc, log_scale = parameters
        return DiscretizedLogisticDistribution(loc, log_scale.clamp(*self.bounds), self.levels, validate_args=False)

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "2 *event"]:
        """The mean as location, and a spread of about a tenth of the scale."""
        return torch.stack([mean, torch.full_like(mean, math.log(0.1))])


class DiscretizedLogisticMixture(DiscretizedLogistic):
    """Levels of an integer scale, rescaled to [0, 1], of which an entry may prefer several.

    The parameters are the components' logits, locations and log-scales. Entries, colour channels too, are independent
    of one another given z.

    Args:
        event_shape: Shape of one datum.
        levels: How many there are: 256 for 8-bit pixels.
        components: Logistics in the mixture of each entry.

    Raises:
        ValueError: Fewer than two levels, or no components.

    References:
        Salimans et al., PixelCNN++, 2017, section 2.1.
    """

    def __init__(self, event_shape: Sequence[int], levels: int = 256, components: int = 5) -> None:
        super().__init__(event_shape, levels)
        if components < 1:
            raise ValueError(f"components must be at least 1, not {components}.")
        self.components = components
        self.parameters_per_entry = 3 * components

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Mixture with the given logits, locations and log-scales."""
        logits, loc, log_scale = torch.stack(parameters).chunk(3)
        return DiscretizedLogisticMixtureDistribution(logits, loc, log_scale.clamp(*self.bounds), self.levels)

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "P *event"]:
        """Components side by side around the mean: where they coincide they learn the same."""
        offsets = torch.linspace(-0.1, 0.1, self.components + 2, device=mean.device, dtype=mean.dtype)[1:-1]
        loc = mean + offsets.reshape(-1, *[1] * mean.ndim)
        return torch.cat([torch.zeros_like(loc), loc, torch.full_like(loc, math.log(0.1))])


class Categorical(Likelihood):
    """Entries that take one of C values, observed one-hot: event shape [..., C]; the parameters are logits."""

    preparation = "onehot"

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """One-hot categorical with the given logits over the last axis."""
        return OneHotCategorical(logits=parameters[0], validate_args=False)

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "1 *event"]:
        """The logarithm of the frequencies."""
        return mean.clamp(min=0.001).log().unsqueeze(0)
