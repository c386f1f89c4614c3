"""What an objective is.

Most are frozen settings and a formula. Those that play a game against a discriminator also own its network: from the
same trace they return a second loss that trains it, and the gradients of the two are kept apart by construction. The
loss holds the network constant and the auxiliary loss the trace, so that one optimizer over the parameters of both can
follow the sum.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from lowerbound.models import Latent, Trace


class Value(NamedTuple):
    """An objective's value on a batch, in nats per datum."""

    loss: Float[Tensor, ""]
    """What the optimizer minimises."""
    distortion: Float[Tensor, ""]
    """E_q[−log p(x | z)]."""
    rate: Float[Tensor, ""]
    """KL(q(z | x) ‖ p(z)), unweighted: distortion + rate is −ELBO under every objective."""
    auxiliary: Float[Tensor, ""] | None = None
    """What the objective's own network minimises; its gradient reaches nothing else. None where there is no network."""


class Objective(ABC):
    """A reducer of a trace to a loss."""

    particles: int = 1
    """How many draws of z for each datum its trace needs, K."""
    kl_warmup: float = 0.0
    """Share of the training over which the weight of the KL term rises; 0 where it does not."""

    @property
    def network(self) -> nn.Module | None:
        """A network of its own, which is trained along with the model."""
        return None

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


def check_weight(weight: float, name: str) -> None:
    """Refuse what is not the weight of a term.

    Raises:
        ValueError: Negative, or not finite.
    """
    if not 0 <= weight < math.inf:
        raise ValueError(f"{name} must be a number that is not negative, it is {weight}.")


def only_latent(trace: Trace, what: str) -> Latent:
    """The one group of latent variables.

    Args:
        trace: Of a model.
        what: What needs it to be one, for the error.

    Raises:
        ValueError: There are several, of which one's posterior depends on the draws of another.
    """
    if len(trace.latents) != 1:
        raise ValueError(f"{what} is for models with one group of latent variables.")
    return trace.latents[0]


def from_prior(latent: Latent, what: str, *, only_source: bool) -> Float[Tensor, "K B D"]:
    """As many draws from p(z) as there are from the posteriors; no gradient reaches the prior.

    Args:
        latent: Of a trace.
        what: What needs them, for the errors.
        only_source: Whether the loss has no other term with the prior in it.

    Raises:
        ValueError: The prior is conditional; or it has parameters, and no term would train them.
    """
    if latent.prior.batch_shape:
        raise ValueError(f"{what} is for models whose prior depends on nothing.")
    if only_source and latent.prior.log_prob(latent.z.detach()).requires_grad:
        raise ValueError(f"{what} does not train a prior: choose one without parameters, such as standard-normal.")
    return latent.prior.sample(latent.z.shape[:2])
