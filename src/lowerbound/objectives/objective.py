"""What an objective is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from lowerbound.models import Trace


class Value(NamedTuple):
    """An objective's value on a batch, in nats per datum."""

    loss: Float[Tensor, ""]
    """What the optimizer minimises."""
    distortion: Float[Tensor, ""]
    """E_q[−log p(x | z)]."""
    rate: Float[Tensor, ""]
    """KL(q(z | x) ‖ p(z)), unweighted: distortion + rate is −ELBO under every objective."""


class Objective(ABC):
    """A reducer of a trace to a loss."""

    particles: int = 1
    """How many draws of z for each datum its trace needs, K."""
    kl_warmup: float = 0.0
    """Share of the training over which the weight of the KL term rises; 0 where it does not."""

    @property
    def pathwise(self) -> bool:
        """Whether those draws must be reparameterized; False for score-function estimators."""
        return True

    @abstractmethod
    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """The value on one trace.

        Args:
            trace: Of a batch, with `particles` draws.
            progress: Share of the training that is done, 0 … 1.
        """

    def kl_weight(self, progress: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """The weight β of the KL term at this point of the training."""
        return progress.new_ones(())


def check_particles(count: int, least: int, name: str = "particles") -> None:
    """Refuse too few draws.

    Raises:
        ValueError: Fewer than `least`.
    """
    if count < least:
        raise ValueError(f"{name} must be at least {least}, not {count}.")
