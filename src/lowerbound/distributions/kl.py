"""The Kullback-Leibler divergence of a posterior from a prior.

    KL(q ‖ p) = E_q [log q(z) − log p(z)]

in closed form where torch has one registered, and otherwise as the one-sample Monte Carlo estimate at z ~ q.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from lowerbound.distributions.entrywise import entries


def kl(q: Distribution, p: Distribution, z: Float[Tensor, "K B *event"]) -> Float[Tensor, "..."]:
    """KL(q ‖ p) in nats.

    Args:
        q: The distribution of z, batch shape [B] or [K, B].
        p: The reference, batch shape [], [B] or [K, B].
        z: Draws from q, used only where no closed form is registered.

    Returns:
        The closed form in the broadcast batch shape of the two, or log q(z) − log p(z), [K, B].
    """
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return q.log_prob(z) - p.log_prob(z)


def entrywise_kl(q: Distribution, p: Distribution) -> Float[Tensor, "..."]:
    """Closed-form KL of each independent entry, in nats, batch shape followed by the entries' shape.

    Raises:
        ValueError: The entries of either are not independent.
        NotImplementedError: No closed form is registered for the pair.
    """
    return kl_divergence(entries(q), entries(p))
