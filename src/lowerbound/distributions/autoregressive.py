"""Groups of one-hot vectors, each chosen in the light of those before it.

    p(z) = Π_g p(z_g | z_1 … z_{g−1})

References:
    Larochelle and Murray, The neural autoregressive distribution estimator, 2011, equation 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import one_hot

# Draws that the mean is estimated from.
_DRAWS = 256


class AutoregressiveOneHot(Distribution):
    """G one-hot vectors of C entries, batch shape [], event shape [G · C].

    Args:
        logits: From values [*sample, G · C] to the logits [*sample, G, C] of every group, up to a constant for each;
            those of a group are a function of the groups before it.
        groups: G.
        categories: C.
        like: A tensor with the device and the type of the draws.
    """

    def __init__(self, logits: Callable[[Tensor], Tensor], groups: int, categories: int, like: Tensor) -> None:
        self.logits, self.groups, self.categories, self.like = logits, groups, categories, like
        super().__init__(torch.Size(), torch.Size((groups * categories,)), validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Vectors (of ones and zeros)."""
        return constraints.real_vector

    def log_prob(self, value: Float[Tensor, "*sample D"]) -> Float[Tensor, "*sample"]:
        """Log-probability in nats, in one pass of the network."""
        conditional = self.logits(value).log_softmax(-1)
        return (value.unflatten(-1, (self.groups, self.categories)) * conditional).sum((-2, -1))

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample D"]:
        """A draw, in G passes of the network; it has no gradient."""
        shape = torch.Size(sample_shape)
        return self._draw(shape.numel(), None).reshape(shape + self.event_shape)

    @torch.no_grad()
    def _draw(self, count: int, generator: torch.Generator | None) -> Float[Tensor, "n D"]:
        z = self.like.new_zeros(count, self.groups, self.categories)
        for group in range(self.groups):
            probabilities = self.logits(z.flatten(1))[:, group].softmax(-1)
            which = probabilities.multinomial(1, generator=generator).squeeze(1)
            z[:, group] = one_hot(which, self.categories).to(z)
        return z.flatten(1)

    @property
    def mean(self) -> Float[Tensor, "D"]:
        """The probability of each category, averaged over 256 fixed draws of the groups before it.

        There is no closed form, and what is asked for twice must not be random.
        """
        generator = torch.Generator(self.like.device).manual_seed(0)
        return self.logits(self._draw(_DRAWS, generator)).softmax(-1).mean(0).flatten()
