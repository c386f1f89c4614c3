"""The variational autoencoder.

    z ~ p(z),   x ~ p(x | z),   q(z | x) in place of the intractable p(z | x)

References:
    Kingma and Welling, Auto-encoding variational Bayes, 2013.
    Rezende, Mohamed and Wierstra, Stochastic backpropagation and approximate inference in deep generative models, 2014.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.models.latent import Latent, LatentModel, Trace

if TYPE_CHECKING:
    from lowerbound.likelihoods import Likelihood
    from lowerbound.nn import Conditional


class VAE(LatentModel):
    """A variational autoencoder from its three distributions.

    Args:
        encoder: x [B, *event] → q(z | x), batch shape [B].
        decoder: z [K, B, *latent] → p(x | z), batch shape [K, B].
        prior: () → p(z), batch shape [].
        context_dim: Entries of the covariate of a conditional model; 0: there is none.

    Each is any module (such as `nn.Conditional`) whose call returns a distribution; encoder and decoder take a context
    as their second argument where the model is conditional.
    """

    def __init__(
        self,
        encoder: nn.Module | Callable[..., Distribution],
        decoder: nn.Module | Callable[..., Distribution],
        prior: nn.Module | Callable[[], Distribution],
        *,
        context_dim: int = 0,
    ) -> None:
        super().__init__()
        self.context_dim = context_dim
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior

    @property
    def likelihood(self) -> Likelihood:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The family of p(x | z), where the decoder is a network and a head."""
        return cast("Conditional", self.decoder).head  # pyright: ignore[reportReturnType]

    def posterior(self, x: Float[Tensor, "B *event"], *, context: Float[Tensor, "B C"] | None = None) -> Distribution:
        """q(z | x), batch shape [B]."""
        return self.encoder(x) if context is None else self.encoder(x, context)

    def decode(self, z: Float[Tensor, "*batch D"], *, context: Float[Tensor, "*batch C"] | None = None) -> Distribution:
        """p(x | z), batch shape `batch`."""
        return self.decoder(z) if context is None else self.decoder(z, context)

    def trace(
        self,
        x: Float[Tensor, "B *event"],
        particles: int = 1,
        *,
        pathwise: bool = True,
        context: Float[Tensor, "B C"] | None = None,
        mask: Bool[Tensor, "B *event"] | None = None,
    ) -> Trace:
        """Run the model on data (see `LatentModel.trace`).

        Raises:
            ValueError: `pathwise`, and the posterior has no reparameterized draw.
        """
        posterior = self.posterior(x, context=context)
        if pathwise and not posterior.has_rsample:
            raise ValueError(
                f"A {type(posterior).__name__} posterior cannot be reparameterized: "
                "use an objective with the score-function estimator."
            )
        z = posterior.rsample((particles,)) if pathwise else posterior.sample((particles,))
        return Trace(x, self.decode(z, context=context), (Latent(z, posterior, self.prior()),), mask)

    def embed(
        self, x: Float[Tensor, "B *event"], *, context: Float[Tensor, "B C"] | None = None
    ) -> Float[Tensor, "B D"]:
        """The posterior mean."""
        return self.posterior(x, context=context).mean

    def generate(
        self, n: int, *, temperature: float = 1.0, context: Float[Tensor, "n C"] | None = None
    ) -> Distribution:
        """p(x | z) for n draws z ~ p(z) (see `LatentModel.generate`)."""
        prior = self.prior()
        z = prior.sample((n,))
        return self.decode(z if temperature == 1 else prior.mean + temperature * (z - prior.mean), context=context)
