"""Objectives with a discriminator: what it learns is known, and no gradient crosses over."""

import math

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal

from lowerbound.models import VAE, Latent, Trace
from lowerbound.objectives import ELBO, AdversarialAutoencoder, FactorVAE
from lowerbound.objectives.adversarial import shuffled, telling_apart
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=2, dims=5)
HALF = torch.tensor(0.5)
BOTH = pytest.mark.parametrize("make", [FactorVAE, AdversarialAutoencoder])


def double(objective):
    objective.network.double()
    return objective


def train(model, objective, x, steps, learning_rate=0.01):
    """The loop: one optimizer over both, which follows the sum of the two losses."""
    optimizer = torch.optim.Adam([*model.parameters(), *objective.network.parameters()], learning_rate)
    for _ in range(steps):
        value = objective(model.trace(x, objective.particles), HALF)
        optimizer.zero_grad()
        (value.loss + value.auxiliary).backward()
        optimizer.step()


@BOTH
def test_the_two_losses_have_no_parameter_in_common(make):
    torch.manual_seed(0)
    model, objective = ORACLE.model(spread=1.4), double(make(2, hidden=(4,)))
    value = objective(model.trace(ORACLE.sample(6), 2), HALF)
    parts = {"model": list(model.parameters()), "network": list(objective.network.parameters())}

    def reached(loss, name):
        given = torch.autograd.grad(loss, parts[name], retain_graph=True, allow_unused=True)
        return any(g is not None and g.abs().sum() > 0 for g in given)

    assert [reached(value.loss, name) for name in parts] == [True, False]
    assert [reached(value.auxiliary, name) for name in parts] == [False, True]


@BOTH
def test_the_losses_are_those_of_the_formula(make):
    """With a discriminator of one linear layer, by hand."""
    torch.manual_seed(0)
    trace, objective = ORACLE.model(spread=1.4).trace(ORACLE.sample(6), 2), double(make(2, weight=3.0, hidden=()))
    torch.manual_seed(5)
    value = objective(trace, HALF)
    (layer,) = objective.network.layers
    codes = trace.latents[0].z.flatten(0, 1)
    logits = [(layer.weight[0] @ z + layer.bias).item() for z in codes]
    elbo = ELBO()(trace, HALF)
    torch.manual_seed(5)
    if make is FactorVAE:
        expected = elbo.loss.item() + 3 * sum(logits) / 12
        true, false = logits, [(layer.weight[0] @ z + layer.bias).item() for z in shuffled(codes)]
    else:
        expected = elbo.distortion.item() + 3 * sum(math.log1p(math.exp(-a)) for a in logits) / 12
        prior = trace.latents[0].prior.sample((2, 6)).flatten(0, 1)
        true, false = [(layer.weight[0] @ z + layer.bias).item() for z in prior], logits
    entropy = [-math.log(1 / (1 + math.exp(-a))) for a in true] + [-math.log(1 - 1 / (1 + math.exp(-a))) for a in false]
    assert value.loss.item() == pytest.approx(expected)
    assert value.auxiliary.item() == pytest.approx(0.5 * sum(entropy) / 12)
    torch.testing.assert_close(value[1:3], elbo[1:3])


def test_shuffling_keeps_the_margins_and_breaks_the_ties():
    """A correlation of 0.9 becomes one of 0, within 4 standard errors of 10,000 draws, seed 0."""
    torch.manual_seed(0)
    z = MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 0.9], [0.9, 1.0]])).sample((10_000,))
    other = shuffled(z)
    torch.testing.assert_close(other.sort(0).values, z.sort(0).values)
    assert abs(torch.corrcoef(other.T)[0, 1].item()) < 4 / 100


def test_the_discriminator_learns_the_total_correlation():
    """Of a Gaussian with a correlation of 0.8, −½ log (1 − 0.8²) = 0.51 nats; seed 0, within 15 %.

    Half a thousand steps with new draws; the tolerance is for what is left to learn.
    """
    torch.manual_seed(0)
    objective = FactorVAE(2, hidden=(32, 32))
    q = MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 0.8], [0.8, 1.0]]))
    optimizer = torch.optim.Adam(objective.network.parameters(), 5e-3)
    for _ in range(500):
        z = q.sample((512,))
        optimizer.zero_grad()
        telling_apart(objective.network, z, shuffled(z)).backward()
        optimizer.step()
    with torch.no_grad():
        estimate = objective.network(q.sample((20_000,))).mean().item()
    assert estimate == pytest.approx(-0.5 * math.log(1 - 0.64), rel=0.15)


def test_an_adversarial_autoencoder_brings_the_codes_to_the_prior():
    """From codes around 1.5 with 1.3 times their spread, in one loop with one optimizer; seed 0."""
    torch.manual_seed(0)
    model, objective = ORACLE.model(spread=1.3, shift=1.5), double(AdversarialAutoencoder(2, hidden=(32,)))
    x = ORACLE.sample(400)
    train(model, objective, x, 400)
    with torch.no_grad():
        z = model.trace(x, 20).latents[0].z.flatten(0, 1)
    assert z.mean(0).abs().max() < 0.3
    torch.testing.assert_close(z.std(0), torch.ones(2, dtype=torch.float64), atol=0.25, rtol=0)


def test_factor_vae_makes_the_code_factorial_where_the_bound_would_not():
    """Under a prior with a correlation of 0.9 the bound wants codes with one of 0.8, and γ = 5 does not; seed 0."""
    x = ORACLE.sample(400)
    covariance = torch.tensor([[1.0, 0.9], [0.9, 1.0]], dtype=torch.float64)

    def correlation(weight):
        torch.manual_seed(0)
        exact = ORACLE.model()
        prior = MultivariateNormal(torch.zeros(2, dtype=torch.float64), covariance)
        model = VAE(exact.encoder, exact.decoder, lambda: prior)
        train(model, double(FactorVAE(2, weight=weight, hidden=(32,))), x, 300)
        with torch.no_grad():
            return torch.corrcoef(model.trace(x, 20).latents[0].z.flatten(0, 1).T)[0, 1].item()

    assert correlation(0.0) > 0.7
    assert abs(correlation(5.0)) < 0.3


def test_what_cannot_be_computed_is_refused():
    with pytest.raises(ValueError, match="weight must be"):
        FactorVAE(2, weight=-1.0)
    with pytest.raises(ValueError, match="positive sizes"):
        AdversarialAutoencoder(0)
    q = Independent(Normal(torch.zeros(3, 2), 1.0), 1)
    latent = Latent(torch.zeros(1, 3, 2), q, q)
    with pytest.raises(ValueError, match="whose prior depends on nothing"):
        AdversarialAutoencoder(2)(Trace(torch.zeros(3, 2), q, (latent,)), HALF)
    with pytest.raises(ValueError, match="one group of latent variables"):
        FactorVAE(2)(Trace(torch.zeros(3, 2), q, (latent, latent)), HALF)
