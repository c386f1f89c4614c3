"""Independent Bernoulli entries, whose log-probability is the hot path of every model of binary images.

log p(x | l) = Σ_d x_d l_d − softplus(l_d),   l = logit
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli, Independent
from torch.nn.functional import softplus


class IndependentBernoulli(Independent):
    """Bernoulli entries with the given logits, the last `dims` axes of which are one datum.

    Args:
        logits: Logits of the entries, [*batch, *event].
        dims: Axes of the event, at least one.
    """

    base_dist: Bernoulli

    def __init__(self, logits: Float[Tensor, "*batch *event"], dims: int) -> None:
        super().__init__(Bernoulli(logits=logits, validate_args=False), dims, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> IndependentBernoulli:
        """The same distribution with its batch expanded."""
        logits = self.base_dist.logits.expand(torch.Size(batch_shape) + self.event_shape)
        return IndependentBernoulli(logits, len(self.event_shape))

    def log_prob(self, value: Float[Tensor, "*sample"]) -> Float[Tensor, "*batch"]:
        """Log-probability in nats of values that are 0 or 1."""
        dims = len(self.event_shape)
        logits, value = torch.broadcast_tensors(self.base_dist.logits, value)
        # The cross-entropy is formed in place, so that one temporary of the size of the logits suffices, and entry by
        # entry: where a large logit is right, its two terms cancel exactly and not only up to the rounding of a sum.
        if logits.requires_grad or value.requires_grad:
            return softplus(logits).addcmul_(value, logits, value=-1).flatten(-dims).sum(-1).neg()
        certain = logits.clamp(min=0).addcmul_(value, logits, value=-1).flatten(-dims).sum(-1)
        return _log_of_product(logits.abs().neg_().exp_().add_(1).flatten(-dims)).add_(certain).neg_()


def _log_of_product(factors: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
    """The logarithm of the product of factors between 1 and 2.

    softplus(l) = max(l, 0) + log(1 + exp(−|l|)), and a logarithm costs ten times what a product does: it is taken of up
    to 64 factors at once, whose product is within the range of float32.
    """
    for _ in range(6):
        half, odd = divmod(factors.shape[-1], 2)
        if odd:
            break
        factors = factors[..., :half] * factors[..., half:]
    return factors.log().sum(-1)
