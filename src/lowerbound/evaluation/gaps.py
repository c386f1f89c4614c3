"""Where the bound loses: in the family of the posterior, or in the encoder.

    log p(x) − L(q)  =  [log p(x) − L(q*)]  +  [L(q*) − L(q)],     q* the best of the family for this datum alone
                        approximation gap      amortization gap

References:
    Cremer, Li and Duvenaud, Inference suboptimality in variational autoencoders, 2018.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import kl
from lowerbound.evaluation.batches import fixed
from lowerbound.models import VAE
from lowerbound.nn import Conditional

# Draws of z that the final figures are estimated from are taken this many at a time.
_CHUNK = 50


class Gaps(NamedTuple):
    """Three figures of each datum, in nats, whose differences are the gaps."""

    amortized: Float[Tensor, "N"]
    """L(q) with the encoder's q."""
    refined: Float[Tensor, "N"]
    """L(q*), estimated from fresh draws."""
    log_likelihood: Float[Tensor, "N"]
    """log p(x), importance-sampled from q*, which is a better proposal than q."""

    @property
    def amortization(self) -> Float[Tensor, "N"]:
        """What the encoder loses; up to the noise of the estimates it is not negative."""
        return self.refined - self.amortized

    @property
    def approximation(self) -> Float[Tensor, "N"]:
        """What the family loses, whatever the encoder."""
        return self.log_likelihood - self.refined


def gaps(
    model: VAE,
    x: Float[Tensor, "N *event"],
    *,
    steps: int = 500,
    learning_rate: float = 0.02,
    draws: int = 8,
    particles: int = 1000,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> Gaps:
    """Refine q for each datum by itself, and part what the bound loses.

    The head's parameters for each datum are optimised by Adam from where the encoder puts them, with a step size that
    falls to zero, all data at once. Weights that belong to the head (a flow's) stay as they are.

    Args:
        model: With an encoder of network and head (`nn.Conditional`), whose posterior is reparameterized; its mode, its
            weights and the caller's random numbers are left as they were.
        x: The data, as the model sees it, on the model's device; hundreds at a time.
        steps: Of the refinement.
        learning_rate: Adam's, in the first step.
        draws: Of z for each datum in each step.
        particles: Draws of z for the final figures, K.
        seed: Of every draw.
        on_progress: Called now and then with the share that is done, 0 … 1.

    Raises:
        ValueError: No data, a number below one, or an encoder or posterior of another kind.
    """
    if len(x) == 0 or min(steps, draws, particles) < 1:
        raise ValueError(
            f"Data, steps, draws and particles must be at least one, not {len(x)}, {steps}, {draws}, {particles}."
        )
    encoder = model.encoder
    if not isinstance(encoder, Conditional):
        raise ValueError("The gaps are for an encoder of network and head (nn.Conditional).")
    with fixed(model, x.device, seed):
        features = encoder.network(x).reshape(len(x), *encoder.head.parameter_shape).clone().requires_grad_()
        if not encoder.head(features).has_rsample:
            raise ValueError("The gaps are for a posterior with reparameterized draws.")
        with torch.no_grad():
            amortized, _ = _figures(model, encoder.head(features), x, particles)
        optimizer = torch.optim.Adam([features], learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for step in range(steps):
            optimizer.zero_grad()
            (-_bound(model, encoder.head(features), x, draws).sum()).backward()
            optimizer.step()
            schedule.step()
            if on_progress is not None and (step + 1) % 10 == 0:
                on_progress((step + 1) / steps)
        with torch.no_grad():
            refined, log_likelihood = _figures(model, encoder.head(features), x, particles)
    return Gaps(amortized, refined, log_likelihood)


def _bound(model: VAE, q: Distribution, x: Float[Tensor, "N *event"], draws: int) -> Float[Tensor, "N"]:
    """L(q) of each datum, from draws of z."""
    z = q.rsample(torch.Size((draws,)))
    return (model.decode(z).log_prob(x) - kl(q, model.prior(), z)).mean(0)


def _figures(
    model: VAE, q: Distribution, x: Float[Tensor, "N *event"], particles: int
) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
    """L(q) and the importance-sampled log p(x), in float64."""
    bounds, weights, prior = [], [], model.prior()
    for start in range(0, particles, _CHUNK):
        z = q.sample(torch.Size((min(_CHUNK, particles - start),)))
        log_likelihood = model.decode(z).log_prob(x)
        bounds.append((log_likelihood - kl(q, prior, z)).double())
        weights.append((log_likelihood + prior.log_prob(z) - q.log_prob(z)).double())
    return torch.cat(bounds).mean(0), torch.cat(weights).logsumexp(0) - math.log(particles)
