"""What a likelihood is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution, Independent


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
