"""The variational mixture of posteriors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, Normal

from lowerbound.distributions import DiagonalGaussianMixture
from lowerbound.priors.checks import check_at_least_one


class VampPrior(nn.Module):
    """p(z) = (1/C) Σ_c q(z | u_c): the mean of the posteriors of C pseudo-inputs, which are learned.

    The pseudo-inputs start at data and are free to leave its range. Where the posterior is a diagonal Gaussian the
    mixture costs two matrix products; any other posterior is evaluated once for each component.

    Args:
        latent_dim: Dimension of z.
        components: How many pseudo-inputs there are, C.
        encoder: The model's own encoder. It stays the model's: its parameters are neither counted nor saved here.
        examples: From C to as many data [C, *event] as the model sees them: where the pseudo-inputs start.

    Raises:
        ValueError: A number below one, or an encoder without a spread.

    References:
        Tomczak and Welling, VAE with a VampPrior, 2018, equation 9.
    """

    def __init__(
        self, latent_dim: int, components: int = 500, *, encoder: nn.Module, examples: Callable[[int], Tensor]
    ) -> None:
        super().__init__()
        check_at_least_one(latent_dim=latent_dim, components=components)
        if not getattr(getattr(encoder, "head", None), "spreads", True):
            raise ValueError("A VampPrior mixes posteriors that have a spread, and this encoder says a point.")
        # In a tuple, where torch does not look for parameters.
        self._encoder = (encoder,)
        self.pseudo_inputs = nn.Parameter(examples(components).detach().clone())

    @property
    def space(self) -> str | None:
        """That of the encoder's posterior."""
        return getattr(getattr(self._encoder[0], "head", None), "space", None)

    def forward(self) -> Distribution:
        """The prior."""
        posterior = self._encoder[0](self.pseudo_inputs)
        weights = torch.zeros(len(self.pseudo_inputs), device=self.pseudo_inputs.device)
        if isinstance(posterior, Independent) and isinstance(posterior.base_dist, Normal):
            return DiagonalGaussianMixture(weights, posterior.base_dist.loc, posterior.base_dist.scale)
        return MixtureSameFamily(Categorical(logits=weights, validate_args=False), posterior, validate_args=False)
