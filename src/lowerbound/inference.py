"""Variational inference of one posterior, for any joint density and without an encoder.

    L(q) = E_q [log p(x, z) − log q(z)] = log p(x) − KL(q(z) ‖ p(z | x))

A q out of a family is fitted by ascending the bound, whose distance from log p(x) is the divergence that is left. That
divergence punishes q for density where the posterior has none: a q that is too simple for the posterior withdraws into
a part of it. The other one, KL(p(z | x) ‖ q(z)), punishes what q leaves out, and such a q spreads over all.

References:
    Jordan, Ghahramani, Jaakkola and Saul, An introduction to variational methods for graphical models, 1999.
    Kucukelbir, Tran, Ranganath, Gelman and Blei, Automatic differentiation variational inference, 2017.
    Ranganath, Gerrish and Blei, Black box variational inference, 2014 (the score function).
    Bornschein and Bengio, Reweighted wake-sleep, 2015, section 2 (the forward direction).
    Hesterberg, Weighted average importance sampling and defensive mixture distributions, 1995.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.errors import UserError
from lowerbound.nn.conditional import Head
from lowerbound.objectives import gradients
from lowerbound.posteriors import DiagonalGaussian, FullGaussian

Gradient = Literal["pathwise", "sticking-the-landing", "score-function"]
LogJoint = Callable[[Tensor], Tensor]


class Unconditional(nn.Module):
    """One distribution with free parameters, where a posterior given x has a network.

    Args:
        head: From parameters to a distribution, such as those of `lowerbound.posteriors`.

    `features` holds the parameters, all zero to begin with: a standard normal for the Gaussian heads, whose mean is the
    first of them.
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head
        self.features = nn.Parameter(torch.zeros(head.parameter_shape))

    def forward(self) -> Distribution:
        """The distribution, batch shape []."""
        return self.head(self.features)


def mean_field(dim: int) -> Unconditional:
    """The Gaussians of that dimension whose entries are independent.

    Raises:
        ValueError: A dimension below one.
    """
    return Unconditional(DiagonalGaussian(dim))


def full_covariance(dim: int) -> Unconditional:
    """All Gaussians of that dimension.

    Raises:
        ValueError: A dimension below one.
    """
    return Unconditional(FullGaussian(dim))


@dataclass(frozen=True)
class PosteriorFit:
    """What `fit_posterior` found; bounds are in nats."""

    distribution: Distribution
    """The fitted q(z), batch shape []."""
    bound: float
    """Estimate of L(q) from fresh draws."""
    standard_error: float
    """Of that estimate."""
    trajectory: Float[Tensor, " steps"]
    """L(q) before each step, estimated from that step's own draws."""


def fit_posterior(
    log_joint: LogJoint,
    family: nn.Module,
    *,
    direction: Literal["reverse", "forward"] = "reverse",
    gradient: Gradient = "pathwise",
    particles: int = 32,
    steps: int = 2000,
    learning_rate: float = 0.02,
    draws: int = 10_000,
    seed: int = 0,
    on_step: Callable[[int, Distribution], None] | None = None,
) -> PosteriorFit:
    """Fit q(z) to the posterior of a joint density, by Adam with a step size that falls to zero.

    Args:
        log_joint: From z [K, *event] to log p(x, z) [K] in nats; of any other density that does not integrate to one,
            the bound is one on the logarithm of the integral.
        family: A module whose call returns q(z) with batch shape [] and the present parameters (`mean_field`,
            `full_covariance`, a flow); it is fitted in place.
        direction: "reverse" minimises KL(q ‖ p) by ascending the bound. "forward" minimises KL(p ‖ q) by importance
            sampling, from q and from the q that the fit begins with, which should therefore be wide, in few dimensions.
        gradient: Of the bound, in the reverse direction: "pathwise", "sticking-the-landing" (free of noise where q is
            the posterior), or "score-function" (for a q without reparameterized draws, a log_joint without gradient).
        particles: Draws of z for each step, K; at least 2 for the score function, thousands (from each of the two) for
            the forward direction.
        steps: How many.
        learning_rate: Adam's, in the first step.
        draws: Of z, for the final estimate of the bound.
        seed: Of every draw; the caller's generators are left as they were.
        on_step: Called before each step with its number, from 0, and the present q.

    Raises:
        UserError: A family that cannot be fitted in this way, a log_joint of the wrong shape, or a bound that is not
            finite.
        ValueError: Too few steps, particles or draws.
    """
    for name, count, least in (("particles", particles, 1), ("steps", steps, 1), ("draws", draws, 2)):
        if count < least:
            raise ValueError(f"{name} must be at least {least}, not {count}.")
    parameters = [p for p in family.parameters() if p.requires_grad]
    if not parameters:
        raise UserError("The family has no parameters to fit: give it some that require a gradient.")
    optimizer = torch.optim.Adam(parameters, learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    first = copy.deepcopy(family).requires_grad_(False)()
    trajectory = []
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        for step in range(steps):
            q = family()
            if on_step:
                on_step(step, q)
            if direction == "forward":
                bound, surrogate = _forward(log_joint, q, first, particles)
            else:
                bound, surrogate = _reverse(log_joint, q, particles, gradient)
            if not surrogate.isfinite():
                raise UserError(
                    f"The bound was not finite at step {step}: see that log_joint is finite wherever q has density, "
                    f"or lower learning_rate = {learning_rate:g}."
                )
            trajectory.append(bound)
            # Not backward(): log_joint may hang on parameters of the caller's, whose gradients are none of ours.
            for parameter, slope in zip(parameters, torch.autograd.grad(-surrogate, parameters), strict=True):
                parameter.grad = slope
            optimizer.step()
            schedule.step()
        fitted = copy.deepcopy(family).requires_grad_(False)()  # which a further fit of the family leaves as it is
        with torch.no_grad():
            z = fitted.sample((draws,))
            log_w = _evaluated(log_joint, fitted, z) - fitted.log_prob(z)
    optimizer.zero_grad()
    error = log_w.std().item() / math.sqrt(draws)
    return PosteriorFit(fitted, log_w.mean().item(), error, torch.stack(trajectory))


def _reverse(
    log_joint: LogJoint, q: Distribution, particles: int, gradient: Gradient
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """An estimate of the bound, and what has the gradient of the bound."""
    if gradient == "score-function":
        z = q.sample((particles,))
        log_q = q.log_prob(z)
        value = (_evaluated(log_joint, q, z) - log_q).detach()
        return value.mean(), gradients.score_term(value - gradients.others_mean(value), log_q).mean()
    if not q.has_rsample:
        raise UserError(f"A {type(q).__name__} cannot be reparameterized: use gradient = 'score-function'.")
    z = q.rsample((particles,))
    log_p, log_q = _evaluated(log_joint, q, z), q.log_prob(z)
    if gradient == "sticking-the-landing":
        log_q = gradients.without_score(log_q, z)
    bound = (log_p - log_q).mean()
    return bound.detach(), bound


def _forward(
    log_joint: LogJoint, q: Distribution, first: Distribution, particles: int
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """An estimate of the bound, and what has the gradient of −KL(p ‖ q): Σ_k w̃_k log q(z_k).

    The weights are w = p / r, normalised, for draws of the mixture r = ½ q + ½ q₀ with the q₀ that the fit began from.
    With draws of q alone they would have no finite variance where q has thinner tails than p (Hesterberg 1995).
    """
    z = torch.cat([q.sample((particles,)), first.sample((particles,))])
    log_p, log_q = _evaluated(log_joint, q, z).detach(), q.log_prob(z)
    log_r = torch.logaddexp(log_q.detach(), first.log_prob(z))
    return (log_p - log_q)[:particles].mean().detach(), ((log_p - log_r).softmax(0) * log_q).sum()


def _evaluated(log_joint: LogJoint, q: Distribution, z: Float[Tensor, "K *event"]) -> Float[Tensor, " K"]:
    """The log joint at draws from q.

    Raises:
        UserError: q is several distributions, or log_joint does not return one number for each draw.
    """
    if q.batch_shape:
        raise UserError(
            f"The family returns {q.batch_shape.numel()} distributions (batch shape {list(q.batch_shape)}) and must "
            "return one: wrap it in torch.distributions.Independent."
        )
    value = log_joint(z)
    if value.shape != z.shape[:1]:
        raise UserError(
            f"log_joint must return one number for each draw, shape {list(z.shape[:1])} for z of shape "
            f"{list(z.shape)}; it returned shape {list(value.shape)}."
        )
    return value
