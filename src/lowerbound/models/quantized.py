"""The vector-quantized variational autoencoder.

    z ~ p(z),   x ~ p(x | m(z)),   q(z | x) = 1[z = z(x)]

z chooses codes m of a codebook, and the posterior is certain of those that are nearest to what the encoder says. Then

    log p(x)  ≥  log p(x | m(z(x))) + log p(z(x)),

which is the lower bound with a rate of −log p(z).

References:
    van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning, 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from jaxtyping import Bool, Float
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.models.latent import Latent, Trace
from lowerbound.models.vae import VAE
from lowerbound.nn import Conditional
from lowerbound.posteriors import VectorQuantized

if TYPE_CHECKING:
    from lowerbound.distributions import NearestCode


class VQVAE(VAE):
    """A VAE whose decoder sees the codes that z chooses, and whose encoder learns through them.

    The gradient with respect to the codes is handed to the encoder's features as it is (it goes straight through the
    choice). In training mode, each trace moves the codebook towards the features.

    Args:
        encoder: x [B, *event] → the nearest codes, batch shape [B]: a network and the head `VectorQuantized`.
        decoder: codes [K, B, G, d] → p(x | z), batch shape [K, B].
        prior: () → p(z), batch shape [], event shape [G · C].
    """

    encoder: Conditional

    @property
    def head(self) -> VectorQuantized:
        """The encoder's head, which has the codebook.

        Raises:
            ValueError: It is another head, which has none.
        """
        head = self.encoder.head
        if not isinstance(head, VectorQuantized):
            raise ValueError(f"A VQVAE needs an encoder with a VectorQuantized head, not {type(head).__name__}.")
        return head

    def decode(self, z: Float[Tensor, "*batch D"], *, context: Float[Tensor, "*batch C"] | None = None) -> Distribution:
        """p(x | z), batch shape `batch`."""
        return super().decode(self.head.codebook(z), context=context)

    def trace(
        self,
        x: Float[Tensor, "B *event"],
        particles: int = 1,
        *,
        pathwise: bool = True,
        context: Float[Tensor, "B C"] | None = None,
        mask: Bool[Tensor, "B *event"] | None = None,
    ) -> Trace:
        """Run the model on data (see `LatentModel.trace`); all particles are the same.

        Raises:
            ValueError: `pathwise`: z has no gradient, its codes have one.
        """
        if pathwise:
            raise ValueError("A NearestCode posterior cannot be reparameterized: use the objective vq-vae.")
        codebook, posterior = self.head.codebook, cast("NearestCode", self.posterior(x, context=context))
        z = posterior.sample((particles,))
        features = posterior.features
        codes = codebook(z) + (features - features.detach())
        likelihood = super().decode(codes, context=context)
        if self.training:
            codebook.update(features.detach().flatten(0, -2), posterior.which.flatten())
        return Trace(x, likelihood, (Latent(z, posterior, self.prior()),), mask)
