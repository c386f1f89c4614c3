"""Annealed importance sampling: log p(x) where the encoder is too poor a proposal, and a sandwich of it.

    f_t(z) ∝ q(z)^(1 − β_t) p(x, z)^β_t,   0 = β_0 < … < β_T = 1
    log w = Σ_t (β_t − β_{t−1}) [log p(x, z_{t−1}) − log q(z_{t−1})],   z_t by Hamiltonian Monte Carlo at f_t

E[w] = p(x), so that log w is in expectation below log p(x). The same chain run backwards from an exact draw of the
posterior, which there is where x was simulated from the model, has E[1 / w] = 1 / p(x), and is above it: the two
together say how far off either can be.

References:
    Neal, Annealed importance sampling, 2001.
    Wu, Burda, Salakhutdinov and Grosse, On the quantitative analysis of decoder-based generative models, 2017.
    Grosse, Ghahramani and Adams, Sandwiching the marginal likelihood using bidirectional Monte Carlo, 2015.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, MixtureSameFamily, constraints

from lowerbound.distributions import (
    AutoregressiveOneHot,
    NearestCode,
    OneHotGroups,
    PointMass,
    RelaxedOneHotGroups,
    SphereUniform,
    VonMisesFisher,
)
from lowerbound.evaluation.batches import fixed
from lowerbound.models import VAE

Start = Literal["posterior", "prior"]

# The acceptance that the step sizes are led to, and by how much a step changes them (Wu et al. 2017, appendix).
_ACCEPTANCE = 0.65
_CHANGE = 1.05
_FIRST_STEP = 0.1
# How the temperatures crowd at both ends: a sigmoid from −4 to 4.
_STEEPNESS = 4.0
# Vectors whose support torch has no name for, and a point.
_ELSEWHERE = (
    AutoregressiveOneHot,
    NearestCode,
    OneHotGroups,
    PointMass,
    RelaxedOneHotGroups,
    SphereUniform,
    VonMisesFisher,
)
# Pairs of a datum and a chain that are run together.
_PAIRS = 4096


class AnnealedEstimate(NamedTuple):
    """The annealed likelihood of each datum."""

    log_likelihood: Float[Tensor, "N"]
    """log of the mean weight of the chains, in nats: in expectation below log p(x)."""
    error: Float[Tensor, "N"]
    """Standard error of that mean as a share of it, which is the error of the logarithm while it is small."""
    acceptance: Float[Tensor, "N"]
    """Mean share of Hamiltonian steps that were taken."""


class Sandwich(NamedTuple):
    """Bounds on log p(x) of data that the model itself made, in nats."""

    x: Float[Tensor, "N *event"]
    """The data."""
    lower: Float[Tensor, "N"]
    """By chains from q: in expectation below log p(x)."""
    upper: Float[Tensor, "N"]
    """By chains from the z that made x: in expectation above."""


@dataclass(frozen=True)
class Annealing:
    """How the chains are run.

    Args:
        chains: For each datum.
        temperatures: T; more of them tighten the estimate.
        leapfrog: Steps of each Hamiltonian trajectory.
        start: Where the chains begin: at the encoder's q(z | x), or at the prior.

    Raises:
        ValueError: A number below one, fewer than two chains, or an unknown start.
    """

    chains: int = 16
    temperatures: int = 100
    leapfrog: int = 5
    start: Start = "posterior"

    def __post_init__(self) -> None:
        for name, least in (("chains", 2), ("temperatures", 1), ("leapfrog", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}.")
        if self.start not in get_args(Start):
            raise ValueError(f"start must be 'posterior' or 'prior', not {self.start!r}.")

    def betas(self) -> list[float]:
        """β_0 … β_T."""
        rise = [1 / (1 + math.exp(-_STEEPNESS * (2 * t / self.temperatures - 1))) for t in range(self.temperatures + 1)]
        return [(r - rise[0]) / (rise[-1] - rise[0]) for r in rise]


def annealed_importance_sampling(
    model: VAE,
    x: Float[Tensor, "N *event"],
    annealing: Annealing = Annealing(),
    *,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> AnnealedEstimate:
    """Estimate log p(x) of each datum.

    The step sizes of the Hamiltonian trajectories, one for each temperature and datum, are found by chains of their
    own, and stay as they are for the chains that count, which would be biased if they adapted themselves.

    Args:
        model: In any mode; its mode and the caller's random numbers are left as they were.
        x: The data, as the model sees it, on the model's device.
        annealing: How the chains are run.
        seed: Of every draw.
        on_progress: Called after each batch with the share that is done, 0 … 1.

    Returns:
        Estimate, error and acceptance, in float64.

    Raises:
        ValueError: No data, or latent variables whose distributions are not densities over real vectors.
    """
    if len(x) == 0:
        raise ValueError("There are no data to evaluate: x is empty.")
    results, size = [], max(1, _PAIRS // annealing.chains)
    with fixed(model, x.device, seed), torch.no_grad():
        for start in range(0, len(x), size):
            path = _Path(model, x[start : start + size], annealing)
            log_w, acceptance = path.forward(path.adapted_steps())
            results.append(torch.stack([*_log_mean(log_w), acceptance]))
            if on_progress is not None:
                on_progress(min(1.0, (start + size) / len(x)))
    return AnnealedEstimate(*torch.cat(results, 1))


def bidirectional_monte_carlo(
    model: VAE,
    n: int,
    annealing: Annealing = Annealing(),
    *,
    seed: int = 0,
) -> Sandwich:
    """Sandwich log p(x) of n data drawn from the model.

    Args:
        model: In any mode; its mode and the caller's random numbers are left as they were.
        n: How many data.
        annealing: How the chains are run, in both directions.
        seed: Of every draw.

    Raises:
        ValueError: Fewer than one datum, or latent variables whose distributions are not densities over real vectors.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}.")
    device = next(model.parameters()).device
    bounds, size = [], max(1, _PAIRS // annealing.chains)
    with fixed(model, device, seed), torch.no_grad():
        z = model.prior().sample(torch.Size((n,)))
        x = model.decode(z).sample()
        for start in range(0, n, size):
            path = _Path(model, x[start : start + size], annealing)
            steps = path.adapted_steps()
            lower, _ = _log_mean(path.forward(steps)[0])
            upper, _ = _log_mean(-path.backward(z[start : start + size], steps))
            bounds.append(torch.stack([lower, -upper]))
    lower, upper = torch.cat(bounds, 1)
    return Sandwich(x, lower, upper)


class _Path:
    """The densities from q(z) to p(x, z) for a batch, and chains along them."""

    def __init__(self, model: VAE, x: Float[Tensor, "B *event"], annealing: Annealing) -> None:
        self.model, self.x, self.annealing = model, x, annealing
        posterior, self.prior = model.posterior(x), model.prior()
        self.first: Distribution = posterior if annealing.start == "posterior" else self.prior
        for density in (self.first, self.prior):
            _check_everywhere(density)
        self.betas = annealing.betas()
        # Trajectories are as long in each dimension as q is wide.
        try:
            width = self.first.stddev
        except NotImplementedError:
            width = torch.ones(self.first.event_shape, device=x.device, dtype=x.dtype)
        self.width = width.expand(len(x), *self.first.event_shape)

    def ends(self, z: Float[Tensor, "K B D"]) -> tuple[Float[Tensor, "K B"], Float[Tensor, "K B"]]:
        """log q(z) and log p(x, z)."""
        return self.first.log_prob(z), self.model.decode(z).log_prob(self.x) + self.prior.log_prob(z)

    def start(self) -> Float[Tensor, "K B D"]:
        """Draws from q."""
        shape = (self.annealing.chains,) if self.first.batch_shape else (self.annealing.chains, len(self.x))
        return self.first.sample(torch.Size(shape))

    def adapted_steps(self) -> Float[Tensor, "T B"]:
        """Step sizes by chains that are run for this alone."""
        z, step = self.start(), torch.full((len(self.x),), _FIRST_STEP, device=self.x.device, dtype=self.x.dtype)
        steps = []
        for beta in self.betas[1:]:
            z, accepted = self.move(z, beta, step)
            steps.append(step)
            step = torch.where(accepted.mean(0) > _ACCEPTANCE, step * _CHANGE, step / _CHANGE)
        return torch.stack(steps)

    def forward(self, steps: Float[Tensor, "T B"]) -> tuple[Float[Tensor, "K B"], Float[Tensor, "B"]]:
        """log w of chains from q, and the mean acceptance."""
        z, log_w, taken = self.start(), torch.zeros((), dtype=torch.float64, device=self.x.device), []
        for t in range(1, len(self.betas)):
            log_w = log_w + self.increment(z, t)
            z, accepted = self.move(z, self.betas[t], steps[t - 1])
            taken.append(accepted.mean(0))
        return log_w, torch.stack(taken).mean(0).double()

    def backward(self, z: Float[Tensor, "B D"], steps: Float[Tensor, "T B"]) -> Float[Tensor, "K B"]:
        """log w of chains that end at an exact draw from p(z | x), run from there."""
        z = z.expand(self.annealing.chains, *z.shape)
        log_w = torch.zeros((), dtype=torch.float64, device=self.x.device)
        for t in range(len(self.betas) - 1, 0, -1):
            z, _ = self.move(z, self.betas[t], steps[t - 1])
            log_w = log_w + self.increment(z, t)
        return log_w

    def increment(self, z: Float[Tensor, "K B D"], t: int) -> Float[Tensor, "K B"]:
        """(β_t − β_{t−1}) (log p(x, z) − log q(z))."""
        with torch.no_grad():
            log_q, log_joint = self.ends(z)
        return (self.betas[t] - self.betas[t - 1]) * (log_joint - log_q).double()

    def move(
        self, z: Float[Tensor, "K B D"], beta: float, step: Float[Tensor, "B"]
    ) -> tuple[Float[Tensor, "K B D"], Float[Tensor, "K B"]]:
        """One Hamiltonian trajectory at f_t for each chain, and whether its end was accepted."""
        size = step.unsqueeze(-1) * self.width
        momentum = torch.randn_like(z)
        log_f, slope = self.tempered(z, beta)
        energy = log_f - 0.5 * momentum.square().sum(-1)
        there = z
        for _ in range(self.annealing.leapfrog):
            momentum = momentum + 0.5 * size * slope
            there = there + size * momentum
            log_f, slope = self.tempered(there, beta)
            momentum = momentum + 0.5 * size * slope
        change = log_f - 0.5 * momentum.square().sum(-1) - energy
        # A trajectory that ran out of the numbers is not accepted.
        accepted = torch.rand_like(change).log() < change.nan_to_num(-math.inf, posinf=-math.inf)
        return torch.where(accepted.unsqueeze(-1), there, z), accepted.to(z.dtype)

    def tempered(self, z: Float[Tensor, "K B D"], beta: float) -> tuple[Float[Tensor, "K B"], Float[Tensor, "K B D"]]:
        """log f_t up to a constant, and its gradient."""
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            log_q, log_joint = self.ends(z)
            log_f = (1 - beta) * log_q + beta * log_joint
            (slope,) = torch.autograd.grad(log_f.sum(), z)
        return log_f.detach(), slope


def _check_everywhere(density: Distribution) -> None:
    """Refuse a distribution that is not a density over all of R^D, where trajectories go.

    Raises:
        ValueError: Over a sphere, a simplex, choices or a part of the space; a point; or one that does not say.
    """
    each = density.component_distribution if isinstance(density, MixtureSameFamily) else density
    try:
        support = each.support
    except NotImplementedError:
        support = None
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    if len(density.event_shape) != 1 or support is not constraints.real or isinstance(each, _ELSEWHERE):
        raise ValueError(
            "Annealed importance sampling is for latent variables that are real vectors, with a density everywhere, "
            f"which a {type(each).__name__} is not."
        )


def _log_mean(log_w: Float[Tensor, "K B"]) -> tuple[Float[Tensor, "B"], Float[Tensor, "B"]]:
    """log of the mean over chains, and the relative standard error of that mean."""
    chains = len(log_w)
    log_mean = log_w.logsumexp(0) - math.log(chains)
    return log_mean, (log_w - log_mean).exp().std(0) / math.sqrt(chains)
