"""Likelihoods of real numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution, Normal
from torch.distributions import Laplace as TorchLaplace
from torch.distributions import StudentT as TorchStudentT

from lowerbound.distributions.gaussian import bounded
from lowerbound.likelihoods.likelihood import Likelihood


class Gaussian(Likelihood):
    """Real-valued entries; the parameters are the mean and, where it is learned for each datum, the log-variance.

    Args:
        event_shape: Shape of one datum.
        variance: "learned" for each entry of each datum, "shared" by all data (one parameter for each entry), or
            "fixed".
        scale: The standard deviation that is fixed or that the others start from, in units of the prepared data.

    Raises:
        ValueError: An unknown kind of variance, or a scale that is not positive.
    """

    preparation = "standardise"
    continuous = True

    def __init__(
        self,
        event_shape: Sequence[int],
        variance: Literal["learned", "shared", "fixed"] = "learned",
        scale: float = 1.0,
    ) -> None:
        super().__init__(event_shape)
        if variance not in ("learned", "shared", "fixed"):
            raise ValueError(f"variance must be 'learned', 'shared' or 'fixed', not {variance!r}.")
        self.scale = _positive(scale, "scale")
        self.parameters_per_entry = 2 if variance == "learned" else 1
        start = torch.full(self.event_shape, 2 * math.log(scale))
        if variance == "shared":
            self.log_variance = nn.Parameter(start)
        else:
            self.register_buffer("log_variance", start)

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Normal with the given mean and log-variance."""
        mean, log_variance = parameters if len(parameters) == 2 else (parameters[0], self.log_variance)
        return Normal(mean, torch.exp(0.5 * bounded(log_variance)), validate_args=False)

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "P *event"]:
        """The mean, and the starting log-variance where it is learned for each datum."""
        spread = torch.full_like(mean, 2 * math.log(self.scale))
        return torch.stack([mean, spread][: self.parameters_per_entry])


class Laplace(Likelihood):
    """Real-valued entries with heavier tails than a Gaussian's; the parameters are the median and the log-scale.

    Args:
        event_shape: Shape of one datum.
        scale: The scale that it starts from, in units of the prepared data.

    Raises:
        ValueError: A scale that is not positive.
    """

    preparation = "standardise"
    continuous = True
    parameters_per_entry = 2

    def __init__(self, event_shape: Sequence[int], scale: float = 1.0) -> None:
        super().__init__(event_shape)
        self.scale = _positive(scale, "scale")

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Laplace with the given median and log-scale."""
        loc, log_scale = parameters
        return TorchLaplace(loc, torch.exp(_bounded_scale(log_scale)), validate_args=False)

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "2 *event"]:
        """The mean as median, and the starting scale."""
        return torch.stack([mean, torch.full_like(mean, math.log(self.scale))])


class StudentT(Likelihood):
    """Real-valued entries with outliers; the parameters are the location and the log-scale.

    Args:
        event_shape: Shape of one datum.
        degrees: Degrees of freedom, the same for all entries and not learned: the fewer, the heavier the tails. With
            one or less there is no mean.
        scale: The scale that it starts from, in units of the prepared data.

    Raises:
        ValueError: Degrees of freedom that are not above one, or a scale that is not positive.
    """

    preparation = "standardise"
    continuous = True
    parameters_per_entry = 2

    def __init__(self, event_shape: Sequence[int], degrees: float = 4.0, scale: float = 1.0) -> None:
        super().__init__(event_shape)
        if not 1 < degrees < math.inf:
            raise ValueError(f"degrees must be a number above 1, it is {degrees}.")
        self.degrees, self.scale = degrees, _positive(scale, "scale")

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Student's t with the given location and log-scale."""
        loc, log_scale = parameters
        return TorchStudentT(self.degrees, loc, torch.exp(_bounded_scale(log_scale)), validate_args=False)

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "2 *event"]:
        """The mean as location, and the starting scale."""
        return torch.stack([mean, torch.full_like(mean, math.log(self.scale))])


def _bounded_scale(log_scale: Tensor) -> Tensor:
    """A log-scale within the bounds of a Gaussian's standard deviation."""
    return 0.5 * bounded(2 * log_scale)


def _positive(value: float, name: str) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a positive number, it is {value}.")
    return value
