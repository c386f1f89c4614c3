"""A prior that is fitted to the codes once the training is over."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily, MultivariateNormal

from lowerbound.errors import UserError
from lowerbound.priors.checks import check_at_least_one


class ExPostMixture(nn.Module):
    """p(z) = Σ_c π_c N(μ_c, Σ_c), fitted to codes by expectation maximisation. Until then it is N(0, I).

    Args:
        latent_dim: Dimension of z.
        components: How many Gaussians there are.

    Raises:
        ValueError: A dimension or a number of components below one.

    References:
        Ghosh et al., From variational to deterministic autoencoders, 2020, section 4.
    """

    space = "real"
    logits: Tensor
    loc: Tensor
    scale_tril: Tensor

    def __init__(self, latent_dim: int, components: int = 10) -> None:
        super().__init__()
        check_at_least_one(latent_dim=latent_dim, components=components)
        self.register_buffer("logits", torch.zeros(components))
        self.register_buffer("loc", torch.zeros(components, latent_dim))
        self.register_buffer("scale_tril", torch.eye(latent_dim).expand(components, -1, -1).clone())

    def forward(self) -> Distribution:
        """The prior."""
        weights = Categorical(logits=self.logits, validate_args=False)
        each = MultivariateNormal(self.loc, scale_tril=self.scale_tril, validate_args=False)
        return MixtureSameFamily(weights, each, validate_args=False)

    @torch.no_grad()
    def fit(self, codes: Float[np.ndarray, "N D"], seed: int) -> None:
        """Maximise the likelihood of codes.

        Args:
            codes: One draw from the posterior of each datum of the training.
            seed: Of where the maximisation begins.

        Raises:
            UserError: Fewer codes than components, or codes that are not finite.
        """
        from sklearn.exceptions import ConvergenceWarning  # a second of import that no other prior needs
        from sklearn.mixture import GaussianMixture

        components = len(self.logits)
        if len(codes) < components:
            raise UserError(
                f"model.prior.components = {components} cannot be fitted to {len(codes)} codes: ask for fewer."
            )
        if not np.isfinite(codes).all():
            raise UserError("The codes are not finite, and no prior can be fitted to them: lower the learning rate.")
        mixture = GaussianMixture(components, random_state=seed % 2**32)
        with warnings.catch_warnings():
            # What it has found by then is a density all the same.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(codes.astype(np.float64))
        self.logits.copy_(torch.as_tensor(mixture.weights_).log())
        self.loc.copy_(torch.from_numpy(mixture.means_))
        self.scale_tril.copy_(torch.linalg.cholesky(torch.from_numpy(mixture.covariances_)))
