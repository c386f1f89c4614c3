"""What a latent-variable model is, and what running it on data yields.

    log w = log p(x | z) + Σ_l log p(z_l | z_<l) − Σ_l log q(z_l | x, z_<l),   z ~ q

Every objective and every evaluation is a function of a `Trace`, and of nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.distributions import PointMass, entrywise_kl, entrywise_log_prob, kl

if TYPE_CHECKING:
    from lowerbound.likelihoods import Likelihood


class Latent(NamedTuple):
    """One group of latent variables: a layer of a hierarchy, the steps of a recurrent model."""

    z: Float[Tensor, "K B *event"]
    """Draws from the posterior."""
    posterior: Distribution
    """q(z_l | x, z_<l), batch shape [B] or [K, B]."""
    prior: Distribution
    """p(z_l | z_<l), batch shape [], [B] or [K, B]."""

    def kl(self) -> Float[Tensor, "K B"]:
        """KL(q ‖ p) in nats: closed form where there is one, else log q(z) − log p(z)."""
        particles_and_batch = self.z.shape[: self.z.ndim - len(self.posterior.event_shape)]
        return kl(self.posterior, self.prior, self.z).expand(particles_and_batch)

    def kl_per_dimension(self) -> Float[Tensor, "B *event"]:
        """Closed-form KL of each dimension, in nats; a leading axis of particles where q depends on them.

        Raises:
            ValueError: The dimensions of the posterior or the prior are not independent.
            NotImplementedError: There is no closed form.
        """
        return entrywise_kl(self.posterior, self.prior)

    def log_prior(self) -> Float[Tensor, "K B"]:
        """log p(z) at the draws, in nats."""
        return self.prior.log_prob(self.z)

    def log_posterior(self) -> Float[Tensor, "K B"]:
        """log q(z) at the draws, in nats."""
        return self.posterior.log_prob(self.z)


class Trace(NamedTuple):
    """What was observed, under which likelihood, through which latent variables."""

    x: Float[Tensor, "B *event"]
    likelihood: Distribution
    """p(x | z), batch shape [K, B]."""
    latents: tuple[Latent, ...]
    mask: Bool[Tensor, "B *event"] | None = None
    """True where x was observed; the rest does not count in log p(x | z)."""

    @property
    def has_bound(self) -> bool:
        """Whether there is a lower bound: a posterior that is a point mass has no density, and its KL is infinite."""
        return not any(isinstance(latent.posterior, PointMass) for latent in self.latents)

    def log_likelihood(self) -> Float[Tensor, "K B"]:
        """log p(x | z) in nats, over the observed entries.

        Raises:
            ValueError: There is a mask, and the entries of the likelihood are not independent.
        """
        if self.mask is None:
            return self.likelihood.log_prob(self.x)
        # What was not observed may be anything, NaN too: it is replaced before the density, lest a gradient be NaN · 0.
        each = entrywise_log_prob(self.likelihood, self.x.where(self.mask, 0.0))
        return each.where(self.mask, 0.0).flatten(2).sum(-1)

    def kl(self) -> Float[Tensor, "K B"]:
        """Σ_l KL(q_l ‖ p_l) in nats."""
        return _total(latent.kl() for latent in self.latents)

    def log_prior(self) -> Float[Tensor, "K B"]:
        """Σ_l log p(z_l | z_<l) in nats."""
        return _total(latent.log_prior() for latent in self.latents)

    def log_posterior(self) -> Float[Tensor, "K B"]:
        """Σ_l log q(z_l | x, z_<l) in nats."""
        return _total(latent.log_posterior() for latent in self.latents)

    def log_weight(self) -> Float[Tensor, "K B"]:
        """log p(x, z) − log q(z | x) in nats: the logarithm of the importance weight."""
        return self.log_likelihood() + self.log_prior() - self.log_posterior()


def _total(parts: Iterable[Tensor]) -> Tensor:
    first, *rest = parts
    return sum(rest, start=first)


class LatentModel(nn.Module, ABC):
    """A joint distribution p(x, z) with an approximate posterior q(z | x)."""

    likelihood: Likelihood
    """The family of p(x | z)."""
    context_dim: int = 0
    """Entries of the covariate that a conditional model is told of each datum."""
    recurrent: bool = False
    """Whether a trace is a loop of many small steps, which a compiler would unroll: it compiles one of them instead."""
    compiled: bool = False
    """Whether it does, in a training."""

    def advance(self, share: float) -> None:
        """Become what the model is when this share of its training is done, 0 … 1; most models stay as they are."""

    @abstractmethod
    def trace(
        self,
        x: Float[Tensor, "B *event"],
        particles: int = 1,
        *,
        pathwise: bool = True,
        context: Float[Tensor, "B C"] | None = None,
        mask: Bool[Tensor, "B *event"] | None = None,
    ) -> Trace:
        """Run the model on data.

        Args:
            x: The data, as the model sees it.
            particles: Draws of z for each datum, K.
            pathwise: Draw z reparameterized, so that gradients reach q through it; otherwise z is a constant.
            context: A covariate of each datum, handed to encoder and decoder.
            mask: True where x was observed.
        """

    @abstractmethod
    def embed(
        self, x: Float[Tensor, "B *event"], *, context: Float[Tensor, "B C"] | None = None
    ) -> Float[Tensor, "B D"]:
        """The deterministic code of each datum: the posterior mean."""

    @abstractmethod
    def decode(self, z: Float[Tensor, "*batch D"], *, context: Float[Tensor, "*batch C"] | None = None) -> Distribution:
        """p(x | z), batch shape `batch`."""

    @abstractmethod
    def generate(
        self, n: int, *, temperature: float = 1.0, context: Float[Tensor, "n C"] | None = None
    ) -> Distribution:
        """Ancestral sampling's last step: p(x | z) for n draws z ~ p(z), batch shape [n].

        Args:
            n: How many.
            temperature: Scale of the prior's spread around its mean; 1 is the model's own.
            context: A covariate of each draw.
        """

    def reconstruct(self, x: Float[Tensor, "B *event"], *, context: Float[Tensor, "B C"] | None = None) -> Distribution:
        """p(x | z) at the code of each datum, batch shape [B]."""
        return self.decode(self.embed(x, context=context), context=context)
