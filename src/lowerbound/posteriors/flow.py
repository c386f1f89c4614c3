"""Posteriors that are normalizing flows.

z = μ(x) + σ(x) ⊙ T(ε; h(x)),   ε ~ N(0, I)

The features are μ, log σ² and h, a context that every map of T sees. The affine map of the encoder comes last, so that
μ and σ keep their meaning and T is learned on the scale of one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import AffineTransform, Distribution

from lowerbound.distributions.flow import Bijection, Flow, autoregressive_maps
from lowerbound.distributions.gaussian import bounded
from lowerbound.priors.checks import check_at_least_one


class FlowPosterior(nn.Module):
    """q(z | x) through autoregressive maps whose fast direction is sampling.

    A draw and its density take one pass for each map; the density of a z that was not the last draw takes `latent_dim`
    passes, or two with coupling.

    Args:
        latent_dim: Dimension of z.
        context: Dimension of h.
        transforms: How many maps are stacked, the order of z reversed in between.
        hidden: Units of the hidden layers of each map's network.
        bijection: What each map does to an entry: "affine", or "spline" (monotone rational-quadratic on [−5, 5]).
        coupling: The second half of z is moved by functions of the first, instead of each entry by those before it.

    Raises:
        ValueError: A number below one, or an unknown bijection.

    References:
        Kingma et al., Improving variational inference with inverse autoregressive flow, 2016, algorithm 1.
    """

    space = "real"

    def __init__(
        self,
        latent_dim: int,
        context: int = 64,
        transforms: int = 2,
        hidden: Sequence[int] = (128, 128),
        bijection: Bijection = "affine",
        coupling: bool = False,
    ) -> None:
        super().__init__()
        check_at_least_one(latent_dim=latent_dim, context=context)
        self.latent_dim, self.context = latent_dim, context
        self.parameter_shape = (2 * latent_dim + context,)
        self.maps = autoregressive_maps(
            latent_dim, context=context, transforms=transforms, hidden=hidden, bijection=bijection, coupling=coupling
        )

    def forward(self, parameters: Float[Tensor, "*batch P"]) -> Distribution:
        """The posterior, event shape [latent_dim]."""
        n = self.latent_dim
        mean, log_variance, context = parameters.split([n, n, self.context], dim=-1)
        last = AffineTransform(mean, torch.exp(0.5 * bounded(log_variance)), event_dim=1)
        maps = self.maps(context)
        return Flow(type(maps)(*maps.transforms, last), mean.shape[:-1], mean)
