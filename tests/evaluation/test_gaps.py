"""The two gaps where both are known: a linear-Gaussian model and posteriors that can or cannot hold its own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lowerbound.evaluation import gaps
from lowerbound.likelihoods import Bernoulli, Gaussian
from lowerbound.models import VAE
from lowerbound.nn import MLP, Conditional
from lowerbound.posteriors import Categorical, DiagonalGaussian, FullGaussian
from lowerbound.priors import StandardNormal, UniformCategorical
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=2, dims=5)
X = ORACLE.sample(12)


def test_a_bad_encoder_of_the_right_family_has_an_amortization_gap_alone():
    """The exact posterior is in the family; the amortized bound is KL(q ‖ p(z | x)) lower. Five errors of the draws."""
    model = ORACLE.model(spread=1.8, shift=0.5)
    found = gaps(model, X, steps=300, particles=2000)
    exact = ORACLE.log_prob(X)
    torch.testing.assert_close(found.log_likelihood, exact, atol=0.01, rtol=0)
    torch.testing.assert_close(found.refined, exact, atol=0.12, rtol=0)
    variance, precision = torch.tensor(1.8**2, dtype=torch.float64), ORACLE.posterior_precision()
    divergence = 0.5 * (variance - 1 - variance.log() + 0.5**2 * precision).sum()
    assert found.amortization.mean() == pytest.approx(divergence.item(), abs=0.05)
    assert found.approximation.mean().abs() < 0.03


def turned(head):
    """A linear-Gaussian model whose exact posterior has correlated entries, with the encoder's weights at zero."""
    torch.manual_seed(0)
    weight = torch.tensor([[1.0, 0.6], [0.6, 1.0], [0.5, 0.5]], dtype=torch.float64)
    likelihood = Gaussian((3,), variance="fixed", scale=0.5)
    encoder, decoder = nn.Linear(3, *head.parameter_shape), nn.Linear(2, 3)
    model = VAE(Conditional(encoder, head), Conditional(decoder, likelihood), StandardNormal(2)).double()
    with torch.no_grad():
        for parameter in (*encoder.parameters(), decoder.bias):
            parameter.zero_()
        decoder.weight.copy_(weight)
        model.decoder.head.log_variance.fill_(2 * torch.tensor(0.5, dtype=torch.float64).log())
    precision = torch.eye(2, dtype=torch.float64) + weight.T @ weight / 0.25
    covariance = weight @ weight.T + 0.25 * torch.eye(3, dtype=torch.float64)
    x = torch.randn(10, 3, dtype=torch.float64)
    exact = torch.distributions.MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance).log_prob(x)
    return model, x, exact, precision


def test_a_diagonal_family_has_the_approximation_gap_of_a_correlated_posterior():
    """Known in closed form: ½ (Σ log Λ_dd − log det Λ), the mean-field gap of a Gaussian with precision Λ."""
    model, x, exact, precision = turned(DiagonalGaussian(2))
    found = gaps(model, x, steps=500, particles=4000)
    gap = 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision))
    torch.testing.assert_close(found.log_likelihood, exact, atol=0.1, rtol=0)
    assert found.approximation.mean() == pytest.approx(gap.item(), abs=0.05)


def test_a_full_family_has_none():
    model, x, exact, _ = turned(FullGaussian(2))
    found = gaps(model, x, steps=800, learning_rate=0.05, particles=2000)
    torch.testing.assert_close(found.refined, exact, atol=0.05, rtol=0)
    assert (found.amortization > 1).all()


def test_the_model_and_the_caller_s_random_numbers_are_left_as_they_were():
    model = ORACLE.model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    wanted = [p.requires_grad for p in model.parameters()]
    state, shares = torch.get_rng_state(), []
    one = gaps(model, X, steps=20, particles=10, on_progress=shares.append)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert [p.requires_grad for p in model.parameters()] == wanted
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert shares == [0.5, 1.0]
    assert torch.equal(one.refined, gaps(model, X, steps=20, particles=10).refined)


def test_what_cannot_be_refined_is_refused():
    with pytest.raises(ValueError, match="must be at least one, not 0, 500, 8, 1000"):
        gaps(ORACLE.model(), X[:0])
    with pytest.raises(ValueError, match="network and head"):
        gaps(VAE(lambda x: None, ORACLE.model().decoder, StandardNormal(2)), X)
    head, pixels = Categorical(3), Bernoulli((5,))
    model = VAE(
        Conditional(MLP((5,), head.parameter_shape), head),
        Conditional(MLP((3,), pixels.parameter_shape), pixels),
        UniformCategorical(3),
    )
    with pytest.raises(ValueError, match="reparameterized draws"):
        gaps(model, X.float())
