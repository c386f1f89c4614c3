"""Losses of autoencoders that are not bounds: the code is a point, and other terms than a KL keep it in order.

References:
    van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning, 2017.
    Ghosh, Sajjadi, Vergari, Black and Schölkopf, From variational to deterministic autoencoders, 2020.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lowerbound.distributions import NearestCode, PointMass
from lowerbound.models import Latent, Trace
from lowerbound.objectives.objective import Objective, Value, check_weight, only_latent


@dataclass(frozen=True)
class VectorQuantization(Objective):
    """Distortion, what the prior says of the chosen codes, and a price on the features' distance from them.

        −log p(x | m(z)) − log p(z) + β Σ_g ‖e_g − sg[m(z_g)]‖²

    The first two are −ELBO; with the third, and with a gradient that ignores the choice of z, the loss is not a bound.
    The gradient of the second reaches the prior alone, and the codes themselves follow by moving averages.

    Args:
        commitment: β.

    Raises:
        ValueError: A negative weight.

    References:
        van den Oord et al. 2017, equation 3 (without its second term, in place of which stands appendix A.1).
    """

    commitment: float = 0.25

    def __post_init__(self) -> None:
        check_weight(self.commitment, "commitment")

    @property
    def pathwise(self) -> bool:
        """The choice of a code has no gradient."""
        return False

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−log p(x | z) − log p(z) + β ‖e − m‖², averaged over the batch."""
        latent = only_latent(trace, "The VQ-VAE")
        if not isinstance(latent.posterior, NearestCode):
            raise ValueError("The objective vq-vae is for the posterior vector-quantized, and for no other.")
        distortion, rate = -trace.log_likelihood().mean(), trace.kl().mean()
        distance = latent.posterior.distance.mean()
        return Value(distortion + rate + self.commitment * distance, distortion, rate)


@dataclass(frozen=True)
class RegularizedAutoencoder(Objective):
    """A deterministic autoencoder whose code is kept small, and whose decoder is kept smooth.

        −log p(x | z) + ½ β ‖z‖² + λ R,   z = z(x)

    It has no likelihood: the KL divergence of a point mass from a density is infinite, and so is the rate that is
    reported. To draw samples, a density is fitted to the codes afterwards (`priors.ExPostMixture`).

    Args:
        beta: β.
        weight: λ.

    Raises:
        ValueError: A negative weight.

    References:
        Ghosh et al. 2020, equation 11.
    """

    beta: float = 1.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_weight(self.beta, "beta")
        check_weight(self.weight, "weight")

    @abstractmethod
    def roughness(self, trace: Trace) -> Float[Tensor, ""]:
        """R, averaged over the batch."""

    def __call__(self, trace: Trace, progress: Float[Tensor, ""]) -> Value:
        """−log p(x | z) + ½ β ‖z‖² + λ R, averaged over the batch."""
        latent = only_latent(trace, "The regularized autoencoder")
        _check_certain(latent)
        distortion = -trace.log_likelihood().mean()
        size = 0.5 * latent.z.square().sum(-1).mean()
        loss = distortion + self.beta * size + self.weight * self.roughness(trace)
        return Value(loss, distortion, loss.new_full((), math.inf))


@dataclass(frozen=True)
class WeightPenalty(RegularizedAutoencoder):
    """RAE-L2: the decoder's weights are kept small, R = ‖θ‖².

    Args:
        decoder: The model's own. It stays the model's, which trains and saves it.
        beta: β.
        weight: λ.

    Raises:
        ValueError: A negative weight.
    """

    decoder: nn.Module = field(kw_only=True, repr=False, compare=False)

    def roughness(self, trace: Trace) -> Float[Tensor, ""]:
        """The sum of the squares of all weights of the decoder."""
        return torch.stack([weight.square().sum() for weight in self.decoder.parameters()]).sum()


@dataclass(frozen=True)
class GradientPenalty(RegularizedAutoencoder):
    """RAE-GP: the decoder's output is kept from changing fast, R = ‖∂ E[x | z] / ∂z‖² (all entries of the Jacobian).

    One product with random signs v estimates it without bias: R = E ‖vᵀ J‖². Papers' programs take ones for v, which is
    another number, the squared gradient of the sum of the outputs.

    References:
        Hutchinson, A stochastic estimator of the trace of the influence matrix, 1990 (random signs).
    """

    def roughness(self, trace: Trace) -> Float[Tensor, ""]:
        """The estimate from one draw of v for each datum."""
        z, mean = trace.latents[0].z, trace.likelihood.mean
        signs = torch.randint_like(mean, 2).mul_(2).sub_(1)
        (slope,) = torch.autograd.grad(mean, z, signs, create_graph=True)
        return slope.square().sum(-1).mean()


def _check_certain(latent: Latent) -> None:
    """Refuse what this loss would not train.

    Raises:
        ValueError: A posterior that has a spread, or a prior with parameters.
    """
    if not isinstance(latent.posterior, PointMass):
        raise ValueError("The objectives rae-l2 and rae-gp are for the posterior deterministic, and for no other.")
    if latent.prior.log_prob(latent.z.detach()).requires_grad:
        raise ValueError(
            "A regularized autoencoder does not train a prior: choose one without parameters, such as ex-post-mixture."
        )
