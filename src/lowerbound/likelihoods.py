"""Likelihoods: heads that turn a network's features into p(x | z)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Distribution, Independent, Normal, OneHotCategorical

from lowerbound.distributions import ContinuousBernoulli as ContinuousBernoulliDistribution
from lowerbound.distributions import DiscretizedLogistic as DiscretizedLogisticDistribution
from lowerbound.posteriors import bounded


class Likelihood(nn.Module, ABC):
    """A head over data.

    A network produces `parameters` numbers for each entry of a datum, laid out [parameters, *event_shape].

    Args:
        event_shape: Shape of one datum.
    """

    preparation: ClassVar[str]
    """Name of the preparation that makes stored values into what this likelihood observes."""
    continuous: ClassVar[bool] = False
    """Whether it is a density, which changes with the unit of the data, and not a probability."""
    parameters_per_entry: int = 1

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)

    @property
    def parameter_shape(self) -> tuple[int, ...]:
        """What a network must produce for one datum."""
        return (self.parameters_per_entry, *self.event_shape)

    def forward(self, parameters: Float[Tensor, "*batch P *event"]) -> Distribution:
        """p(x | z), batch shape `batch`, event shape `event_shape`."""
        entries = self.entries(*parameters.unbind(-1 - len(self.event_shape)))
        dims = len(self.event_shape) - len(entries.event_shape)
        return Independent(entries, dims, validate_args=False)

    @abstractmethod
    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """The distribution of the single entries, from one tensor for each parameter."""

    @abstractmethod
    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "P *event"]:
        """Parameters whose distribution has the given mean, with a spread to start from."""


def _logit(mean: Tensor) -> Tensor:
    """The logit of a mean, clipped as in Burda et al. 2015."""
    return mean.clamp(0.001, 0.999).logit()


class Bernoulli(Likelihood):
    """Binary entries; the parameter is the logit."""

    preparation = "binarise"

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Bernoulli with the given logits."""
        return TorchBernoulli(logits=parameters[0], validate_args=False)

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "1 *event"]:
        """The logit of the mean."""
        return _logit(mean).unsqueeze(0)


class ContinuousBernoulli(Likelihood):
    """Entries in [0, 1] (Loaiza-Ganem and Cunningham, 2019); the parameter is the logit."""

    preparation = "rescale"
    continuous = True

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """Continuous Bernoulli with the given logits."""
        return ContinuousBernoulliDistribution(parameters[0], validate_args=False)

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "1 *event"]:
        """The logit whose distribution has this mean, by bisection: the mean has no closed inverse."""
        low, high = torch.full_like(mean, -200.0), torch.full_like(mean, 200.0)
        for _ in range(40):
            middle = (low + high) / 2
            below = ContinuousBernoulliDistribution(middle).mean < mean
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return low.clamp(-20, 20).unsqueeze(0)


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
        if not 0 < scale < math.inf:
            raise ValueError(f"scale must be a positive number, it is {scale}.")
        self.scale = scale
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


class Categorical(Likelihood):
    """Entries that take one of C values, observed one-hot: event shape [..., C]; the parameters are logits."""

    preparation = "onehot"

    def entries(self, *parameters: Float[Tensor, "*batch *event"]) -> Distribution:
        """One-hot categorical with the given logits over the last axis."""
        return OneHotCategorical(logits=parameters[0], validate_args=False)

    def initial_parameters(self, mean: Float[Tensor, "*event"]) -> Float[Tensor, "1 *event"]:
        """The logarithm of the frequencies."""
        return mean.clamp(min=0.001).log().unsqueeze(0)


LIKELIHOODS: dict[str, Callable[..., Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous-bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
    "discretized-logistic": DiscretizedLogistic,
    "categorical": Categorical,
}
