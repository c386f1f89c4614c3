"""The two parts of the rate against quadrature."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Independent, Normal

from lowerbound.evaluation import information
from lowerbound.likelihoods import Bernoulli
from lowerbound.models import VAE
from lowerbound.nn import MLP, Conditional
from lowerbound.posteriors import DiagonalGaussian, FullGaussian
from lowerbound.priors import StandardNormal
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=1, dims=4)


def test_both_parts_are_those_of_quadrature_and_add_up_to_the_rate():
    """Fifty data, one latent variable on a grid of 4,000 points; 4.5 standard errors, seed 0."""
    x, model = ORACLE.sample(50), ORACLE.model(spread=0.8, shift=0.7)
    q = model.posterior(x)
    axis = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    each = Normal(q.mean[:, 0], q.stddev[:, 0]).log_prob(axis.unsqueeze(1))  # [grid, N]
    log_aggregate, log_p = each.logsumexp(1) - math.log(50), Normal(0.0, 1.0).log_prob(axis)
    step = axis[1] - axis[0]
    marginal = ((log_aggregate - log_p) * log_aggregate.exp()).sum() * step
    mutual = ((each - log_aggregate.unsqueeze(1)) * each.exp()).sum(0).mean() * step
    found = information(model, x, draws=400)
    # The error over the data counts their differences too, which both sides share: it is an upper bound here.
    assert found.mutual_information == pytest.approx(mutual.item(), abs=4.5 * found.mutual_information_error / 20)
    assert found.marginal_kl == pytest.approx(marginal.item(), abs=4.5 * found.marginal_kl_error / 20)
    rate = model.trace(x).kl().mean().item()
    assert found.mutual_information + found.marginal_kl == pytest.approx(rate, abs=0.03)


def test_a_posterior_that_equals_the_prior_says_nothing():
    exact = ORACLE.model()
    model = VAE(lambda x: Independent(Normal(0 * x[:, :1], 1 + 0 * x[:, :1]), 1), exact.decoder, exact.prior)
    found = information(model, ORACLE.sample(30))
    assert found.mutual_information == pytest.approx(0, abs=1e-6)
    assert found.marginal_kl == pytest.approx(0, abs=1e-6)


def test_codes_that_tell_every_datum_apart_say_log_n():
    model = ORACLE.model(spread=1e-4)
    found = information(model, ORACLE.sample(40))
    assert found.mutual_information == pytest.approx(math.log(40), abs=0.01)


def test_any_posterior_will_do_and_a_full_one_agrees_with_a_diagonal_one():
    torch.manual_seed(0)
    x = torch.bernoulli(torch.full((20, 6), 0.5))
    full, pixels = FullGaussian(2), Bernoulli((6,))
    decoder = Conditional(MLP((2,), pixels.parameter_shape, hidden=(5,)), pixels)
    model = VAE(Conditional(MLP((6,), full.parameter_shape, hidden=(5,)), full), decoder, StandardNormal(2)).train()
    with torch.no_grad():
        model.encoder.network.layers[-1].weight[4:] = 0  # no correlation
        model.encoder.network.layers[-1].bias[4:] = 0
    twin = VAE(Conditional(MLP((6,), (4,), hidden=(5,)), DiagonalGaussian(2)), decoder, StandardNormal(2))
    for ours, theirs in zip(twin.encoder.parameters(), model.encoder.parameters(), strict=True):
        ours.data.copy_(theirs.data[: len(ours)])
    state = torch.get_rng_state()
    one, other = information(model, x, draws=500), information(twin, x, draws=500)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert one.mutual_information == pytest.approx(other.mutual_information, abs=0.02)
    assert one.marginal_kl == pytest.approx(other.marginal_kl, abs=0.02)


def test_one_datum_says_nothing_of_what_varies():
    with pytest.raises(ValueError, match="At least 2 data and 1 draw are needed, not 1 and 10"):
        information(ORACLE.model(), ORACLE.sample(1))
