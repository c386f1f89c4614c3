"""Groups of one-hot vectors, exact and relaxed, laid out as one vector: event shape [G · C].

A discrete latent variable is G independent choices of one in C. The relaxed distribution lies on G simplices and
becomes the exact one as its temperature goes to zero; its draws are reparameterized.

References:
    Jang, Gu and Poole, Categorical reparameterization with Gumbel-softmax, 2017.
    Maddison, Mnih and Teh, The concrete distribution, 2017, equation 10 (the density).
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints

_MOST_STATES = 2**20


class OneHotGroups(Distribution):
    """G independent one-hot vectors of C entries.

    Args:
        logits: Of each category, up to a constant for each group.
    """

    has_enumerate_support = True

    def __init__(self, logits: Float[Tensor, "*batch G C"]) -> None:
        self.logits = logits.log_softmax(-1)
        super().__init__(logits.shape[:-2], torch.Size((logits.shape[-2] * logits.shape[-1],)), validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Vectors (of ones and zeros)."""
        return constraints.real_vector

    @property
    def mean(self) -> Float[Tensor, "*batch D"]:
        """The probability of each category."""
        return self.logits.exp().flatten(-2)

    @property
    def variance(self) -> Float[Tensor, "*batch D"]:
        """p (1 − p)."""
        return self.mean * (1 - self.mean)

    def log_prob(self, value: Float[Tensor, "*sample D"]) -> Float[Tensor, "*sample"]:
        """Log-probability in nats."""
        return (value.unflatten(-1, self.logits.shape[-2:]) * self.logits).sum((-2, -1))

    def entropy(self) -> Float[Tensor, "*batch"]:
        """Entropy in nats."""
        return -(self.logits.exp() * self.logits).sum((-2, -1))

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample D"]:
        """A draw; it has no gradient."""
        shape = torch.Size(sample_shape)
        groups, categories = self.logits.shape[-2:]
        with torch.no_grad():
            flat = self.logits.exp().reshape(-1, categories)
            which = flat.multinomial(shape.numel(), replacement=True).T
            one_hot = torch.nn.functional.one_hot(which, categories).to(self.logits.dtype)
            return one_hot.reshape(shape + self.batch_shape + torch.Size((groups * categories,)))

    def enumerate_support(self, expand: bool = True) -> Float[Tensor, "S *batch D"]:
        """Every value that there is, S = C^G of them; with `expand` False the batch axes have size one.

        Raises:
            ValueError: There are more than a million.
        """
        groups, categories = self.logits.shape[-2:]
        if categories**groups > _MOST_STATES:
            raise ValueError(f"{groups} groups of {categories} categories have too many states to enumerate.")
        states = torch.tensor(list(itertools.product(range(categories), repeat=groups)), device=self.logits.device)
        values = torch.nn.functional.one_hot(states, categories).to(self.logits.dtype).flatten(1)
        values = values.reshape(-1, *[1] * len(self.batch_shape), groups * categories)
        return values.expand(-1, *self.batch_shape, -1) if expand else values


class RelaxedOneHotGroups(Distribution):
    """G independent points on the simplex of C corners: softmax((logits + Gumbel noise) / temperature).

    Args:
        logits: Of each category, up to a constant for each group.
        temperature: Positive; the smaller, the nearer to the corners, and the noisier the gradients.
    """

    has_rsample = True

    def __init__(self, logits: Float[Tensor, "*batch G C"], temperature: float) -> None:
        self.logits, self.temperature = logits.log_softmax(-1), temperature
        super().__init__(logits.shape[:-2], torch.Size((logits.shape[-2] * logits.shape[-1],)), validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Vectors (on the simplex)."""
        return constraints.real_vector

    @property
    def mean(self) -> Float[Tensor, "*batch D"]:
        """The probability that each category is the largest: the mean of the choice that is relaxed.

        The relaxation's own mean has no closed form; it is this one at temperature zero, and drawn to the centre above.
        """
        return self.logits.exp().flatten(-2)

    def rsample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample D"]:
        """A reparameterized draw."""
        shape = torch.Size(sample_shape) + self.logits.shape
        tiny = torch.finfo(self.logits.dtype).tiny
        noise = torch.empty(shape, dtype=self.logits.dtype, device=self.logits.device).exponential_().clamp(min=tiny)
        z = ((self.logits - noise.log()) / self.temperature).softmax(-1)
        return z.clamp(min=tiny).flatten(-2)

    def log_prob(self, value: Float[Tensor, "*sample D"]) -> Float[Tensor, "*sample"]:
        """Log density in nats, with respect to the first C − 1 coordinates of each group."""
        groups, categories = self.logits.shape[-2:]
        log_z = value.clamp(min=torch.finfo(value.dtype).tiny).log().unflatten(-1, (groups, categories))
        score = self.logits - (self.temperature + 1) * log_z
        normalizer = categories * (self.logits - self.temperature * log_z).logsumexp(-1)
        constant = math.lgamma(categories) + (categories - 1) * math.log(self.temperature)
        return (score.sum(-1) - normalizer + constant).sum(-1)
