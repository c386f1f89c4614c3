"""Annealed importance sampling against models whose likelihood is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.distributions import (
    Categorical,
    Dirichlet,
    Exponential,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    OneHotCategorical,
    Uniform,
)

from lowerbound.distributions import (
    NearestCode,
    OneHotGroups,
    PointMass,
    RelaxedOneHotGroups,
    SphereUniform,
    VonMisesFisher,
)
from lowerbound.evaluation import (
    Annealing,
    annealed_importance_sampling,
    bidirectional_monte_carlo,
    importance_sampling,
)
from lowerbound.likelihoods import Bernoulli
from lowerbound.models import VAE
from lowerbound.nn import MLP, Conditional
from lowerbound.posteriors import POSTERIORS, DiagonalGaussian
from lowerbound.priors import PRIORS, StandardNormal
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=3, dims=6)
X = ORACLE.sample(20)


@pytest.mark.parametrize("start", ["posterior", "prior"])
def test_it_is_the_exact_likelihood_of_a_linear_gaussian_model(start):
    """Twenty data, a posterior too wide and off its place, seed 0: χ²(20) / 20 < 2.5 (99.9 %), mean within 0.1 nats."""
    model = ORACLE.model(spread=1.5, shift=0.4)
    estimate = annealed_importance_sampling(model, X, Annealing(chains=32, temperatures=100, start=start))
    exact = ORACLE.log_prob(X)
    assert ((estimate.log_likelihood - exact) / estimate.error).square().mean() < 2.5
    assert (estimate.log_likelihood - exact).mean().abs() < 0.1
    assert 0.4 < estimate.acceptance.mean() < 0.98


def test_more_temperatures_come_closer():
    """From the prior, mean over twenty data and 32 chains: a bound from below that tightens."""

    def gap(temperatures):
        annealing = Annealing(32, temperatures, 3, "prior")
        return (ORACLE.log_prob(X) - annealed_importance_sampling(ORACLE.model(), X, annealing).log_likelihood).mean()

    assert gap(2) > 0.3
    assert -0.05 < gap(100) < 0.1


def test_both_directions_sandwich_the_exact_likelihood():
    """Forty data from the model; each mean within three standard errors of the right side, the gap below 0.1 nats."""
    found = bidirectional_monte_carlo(ORACLE.model(spread=1.5, shift=0.4), 40, Annealing(temperatures=150))
    exact = ORACLE.log_prob(found.x)
    below, above = exact - found.lower, found.upper - exact
    assert below.mean() > -3 * below.std() / math.sqrt(40)
    assert above.mean() > -3 * above.std() / math.sqrt(40)
    assert (found.upper - found.lower).mean() < 0.1
    coarse = bidirectional_monte_carlo(
        ORACLE.model(spread=1.5, shift=0.4), 40, Annealing(temperatures=2, start="prior")
    )
    assert (coarse.upper - coarse.lower).mean() > 1.0


def test_it_is_better_than_a_bad_encoder_on_a_model_that_is_not_linear():
    """Two latent variables and twelve pixels, whose exact likelihood is a sum over a fine grid."""
    torch.manual_seed(0)
    posterior, pixels = DiagonalGaussian(2), Bernoulli((12,))
    model = VAE(
        Conditional(MLP((12,), posterior.parameter_shape, hidden=(8,)), posterior),
        Conditional(MLP((2,), pixels.parameter_shape, hidden=(16,)), pixels),
        StandardNormal(2),
    ).double()
    with torch.no_grad():
        for layer in model.decoder.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(5)
        model.encoder.network.layers[-1].bias[2:] -= 3.0  # far too narrow
    x = torch.bernoulli(torch.full((10, 12), 0.5, dtype=torch.float64))
    axis = torch.linspace(-6, 6, 241, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    joint = model.decode(grid.unsqueeze(1)).log_prob(x) + model.prior().log_prob(grid).unsqueeze(1)
    exact = (joint.logsumexp(0) + 2 * math.log(12 / 240)).detach()
    annealed = annealed_importance_sampling(model, x, Annealing(32, 100, 5, "prior")).log_likelihood
    narrow = importance_sampling(model, x, 64).log_likelihood
    assert (annealed - exact).abs().max() < 0.4
    assert (exact - annealed).mean() < 0.3 * (exact - narrow).mean()


def test_the_model_and_the_caller_s_random_numbers_are_left_as_they_were():
    model = ORACLE.model().train()
    torch.manual_seed(7)
    state = torch.get_rng_state()
    one = annealed_importance_sampling(model, X[:3], Annealing(4, 5), seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(p.requires_grad for p in model.decoder.network.parameters())
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(one.log_likelihood, annealed_importance_sampling(model, X[:3], Annealing(4, 5), seed=3)[0])


def test_progress_comes_to_its_end():
    shares = []
    annealed_importance_sampling(ORACLE.model(), ORACLE.sample(9), Annealing(1024, 1, 1), on_progress=shares.append)
    assert shares == sorted(shares)
    assert (len(shares), shares[-1]) == (3, 1.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Annealing(chains=1), "chains must be at least 2, not 1"),
        (lambda: Annealing(temperatures=0), "temperatures must be at least 1"),
        (lambda: Annealing(start="middle"), "start must be 'posterior' or 'prior', not 'middle'"),
        (lambda: annealed_importance_sampling(ORACLE.model(), X[:0]), "x is empty"),
        (lambda: bidirectional_monte_carlo(ORACLE.model(), 0), "n must be at least 1"),
    ],
)
def test_nonsense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


GAUSSIAN = MultivariateNormal(torch.zeros(2, 3), torch.eye(3))
ELSEWHERE = {
    "sphere": VonMisesFisher(torch.eye(3)[:2], torch.ones(2)),
    "mixture on the sphere": MixtureSameFamily(
        Categorical(torch.ones(2, 2)), VonMisesFisher(torch.eye(3)[:2], torch.ones(2)).expand((2, 2))
    ),
    "choices": OneHotGroups(torch.zeros(2, 1, 3)),
    "one of torch's choices": OneHotCategorical(torch.ones(2, 3)),
    "nearest codes": NearestCode(torch.zeros(2, 1, 4), torch.zeros(3, 4)),
    "relaxed choices": RelaxedOneHotGroups(torch.zeros(2, 1, 3), 0.5),
    "torch's simplex": Dirichlet(torch.ones(2, 3)),
    "positive numbers": Independent(Exponential(torch.ones(2, 3)), 1),
    "a point": PointMass(torch.zeros(2, 3)),
    "no vector": Normal(torch.zeros(2), 1.0),
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_codes_that_are_no_real_vectors_are_refused_whatever_the_encoder_is(where):
    """Plain functions, which have no head to ask."""
    posterior, x = ELSEWHERE[where], torch.ones(2, 4)
    model = VAE(
        lambda _: posterior,
        lambda z: Independent(Normal(z.sum(-1, keepdim=True).expand(-1, -1, 4), 1.0), 1),
        lambda: GAUSSIAN,
    )
    kind = type(getattr(posterior, "component_distribution", posterior)).__name__
    with pytest.raises(ValueError, match=f"latent variables that are real vectors, .* which a {kind} is not"):
        annealed_importance_sampling(model, x)


@pytest.mark.parametrize("prior", [SphereUniform(3, torch.ones(())), Independent(Uniform(torch.zeros(3), 1.0), 1)])
@pytest.mark.parametrize("start", ["posterior", "prior"])
def test_a_prior_over_a_part_of_the_space_is_refused_too(prior, start):
    model = VAE(lambda _: GAUSSIAN, lambda z: Independent(Normal(z, 1.0), 1), lambda: prior)
    with pytest.raises(ValueError, match=f"which a {type(prior).__name__} is not"):
        annealed_importance_sampling(model, torch.ones(2, 3), Annealing(start=start))


def test_a_model_with_a_deterministic_encoder_is_annealed_from_its_prior():
    """Its z and x are jointly Gaussian, whatever its encoder says: exact within χ²(20) / 20 < 2.5 (99.9 %), seed 0."""
    exact = ORACLE.model()
    model = VAE(lambda x: PointMass(x[:, :3]), exact.decoder, exact.prior)
    estimate = annealed_importance_sampling(model, X, Annealing(chains=32, start="prior"))
    assert ((estimate.log_likelihood - ORACLE.log_prob(X)) / estimate.error).square().mean() < 2.5


@pytest.mark.parametrize(
    ("name", "prior"),
    [
        ("full-gaussian", "gaussian-mixture"),
        ("low-rank-gaussian", "standard-normal"),
        ("householder", "ex-post-mixture"),
        ("flow", "flow"),
    ],
)
def test_every_density_over_real_vectors_is_taken(name, prior):
    """And agrees with importance sampling to 0.3 nats for four data of a small model, seed 0."""
    torch.manual_seed(0)
    head, pixels = POSTERIORS[name](3), Bernoulli((4,))
    model = VAE(
        Conditional(MLP((4,), head.parameter_shape, hidden=(5,)), head),
        Conditional(MLP((3,), pixels.parameter_shape, hidden=(5,)), pixels),
        PRIORS[prior](3),
    )
    x = torch.eye(4)
    estimate = annealed_importance_sampling(model, x, Annealing(64, 15, 2)).log_likelihood
    assert (estimate - importance_sampling(model, x, 5_000).log_likelihood).abs().max() < 0.3
