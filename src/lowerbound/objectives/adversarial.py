"""Objectives that play against a discriminator D, which learns to tell two sources of codes apart.

Its network's output is log D(z) / (1 − D(z)): once it has learned, the logarithm of the ratio of the two densities,
whose mean is the KL divergence of the one from the other. The network is the objective's own, and is trained by
`Value.auxiliary` (see `lowerbound.objectives.objective`).

References:
    Kim and Mnih, Disentangling by factorising, 2018.
    Makhzani, Shlens, Jaitly, Goodfellow and Frey, Adversarial autoencoders, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from lowerbound.models import Trace
from lowerbound.nn import MLP
from lowerbound.objectives.objective import (
    Objective,
    Value,
    check_particles,
    check_weight,
    from_prior,
    only_latent,
)


@dataclass(frozen=True)
class Adversarial(Objective):
    """An objective with a discriminator of codes.

    Args:
        latent_dim: Dimension of z.
        weight: Of the term that the discriminator decides.
        hidden: Units of each hidden layer of the discriminator.
        particles: Draws of z for each datum.

    Raises:
        ValueError: A setting out of range.
    """

    latent_dim: int
    weight: float = 10.0
    hidden: tuple[int, ...] = (256, 256)
    particles: int = 1
    discriminator: MLP = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_weight(self.weight, "weight")
        check_particles(self.particles, 1)
        object.__setattr__(self, "discriminator", MLP((self.latent_dim,), (1,), self.hidden))

    @property
    def network(self) -> nn.Module:
        """The discriminator, from codes [N, latent_dim] to log D / (1 − D), [N, 1]."""
        return self.discriminator


@dataclass(frozen=True)
class FactorVAE(Adversarial):
    """The lower bound with a price on the total correlation of the code.

        −ELBO + γ KL(q(z) ‖ Π_d q(z_d))

    The discriminator tells the draws of a batch from the same draws with each dimension shuffled over the batch. The
    paper shuffles a second batch; the expectation is the same, for each term of the loss has one source alone.

    Args:
        latent_dim: Dimension of z.
        weight: γ.
        hidden: Units of each hidden layer of the discriminator; the paper has six layers of 1,000.
        particles: Draws of z for each datum.

    Raises:
        ValueError: A setting out of range.

    References:
        Kim and Mnih 2018, equations 2 and 3, algorithms 1 and 2.
    """

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−log p(x | z) + KL + γ log D(z) / (1 − D(z)); beside it the discriminator's loss."""
        z = only_latent(trace, "FactorVAE").z.flatten(0, 1)
        distortion, rate = -trace.log_likelihood().mean(), trace.kl().mean()
        correlation = held_constant(self.network, z).mean()
        auxiliary = telling_apart(self.network, z, shuffled(z))
        return Value(distortion + rate + self.weight * correlation, distortion, rate, auxiliary)


@dataclass(frozen=True)
class AdversarialAutoencoder(Adversarial):
    """An autoencoder whose aggregate posterior is held to the prior by a discriminator, in place of the KL term.

        E_q [−log p(x | z)] − λ E_q [log D(z)]

    The discriminator tells draws of the prior, which it calls true, from codes. The prior has no parameters.

    Args:
        latent_dim: Dimension of z.
        weight: λ.
        hidden: Units of each hidden layer of the discriminator; the paper has two of 1,000.
        particles: Draws of z for each datum.

    Raises:
        ValueError: A setting out of range.

    References:
        Makhzani et al. 2015, section 2.
        Tolstikhin, Bousquet, Gelly and Schölkopf, Wasserstein auto-encoders, 2018, algorithm 1 (with λ).
    """

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−log p(x | z) − λ log D(z); beside it the discriminator's loss."""
        what = "The adversarial autoencoder"
        latent = only_latent(trace, what)
        z, prior = latent.z.flatten(0, 1), from_prior(latent, what, only_source=True).flatten(0, 1)
        distortion, rate = -trace.log_likelihood().mean(), trace.kl().mean()
        doubt = softplus(-held_constant(self.network, z)).mean()  # −log D(z)
        auxiliary = telling_apart(self.network, prior, z)
        return Value(distortion + self.weight * doubt, distortion, rate, auxiliary)


def held_constant(network: nn.Module, z: Float[Tensor, "N D"]) -> Float[Tensor, "N 1"]:
    """The network's output, with a gradient that reaches z and not the network."""
    return functional_call(network, {name: p.detach() for name, p in network.named_parameters()}, (z,))


def telling_apart(network: nn.Module, true: Float[Tensor, "N D"], false: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
    """−½ E [log D(true)] − ½ E [log (1 − D(false))] in nats, with a gradient that reaches the network alone."""
    return 0.5 * (softplus(-network(true.detach())).mean() + softplus(network(false.detach())).mean())


def shuffled(z: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
    """z with each dimension in an order of its own: draws from the product of its marginals."""
    return z.gather(0, torch.rand(z.shape, device=z.device).argsort(0))
