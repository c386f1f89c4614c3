"""KL: golden values, and the Monte Carlo fallback against the closed form."""

import math

import pytest
import torch
from torch.distributions import (
    Independent,
    Laplace,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
)
from torch.distributions.transforms import AffineTransform

from lowerbound.distributions import entrywise_kl, entrywise_log_prob, kl


def gaussian(mean, log_variance, dims=10):
    scale = math.exp(0.5 * log_variance)
    return Independent(Normal(torch.full((dims,), mean), torch.full((dims,), scale)), 1)


def test_golden_values():
    standard = gaussian(0.0, 0.0)
    z = torch.zeros(1, 10)
    assert kl(gaussian(1.0, 0.0), standard, z).item() == pytest.approx(5.0)
    assert kl(gaussian(1.0, 1.0), standard, z).item() == pytest.approx(0.5 * (math.e + 1 - 1 - 1) * 10)
    assert gaussian(0.0, 0.0, 1).log_prob(torch.ones(1)).item() == pytest.approx(-1.4189, abs=1e-4)


def test_each_entry_adds_up():
    q, p = gaussian(0.7, -1.0), gaussian(-0.2, 0.4)
    each = entrywise_kl(q, p)
    assert each.shape == (10,)
    torch.testing.assert_close(each.sum(), kl(q, p, torch.zeros(1, 10)))


def test_monte_carlo_where_no_closed_form_is_registered():
    """The mean of 200,000 draws within 4 standard errors of the closed form, seed 0."""
    torch.manual_seed(0)
    q, p = gaussian(0.7, -1.0, 3), gaussian(0.0, 0.0, 3)
    hidden = TransformedDistribution(p, [AffineTransform(0.0, 1.0)])  # the same p, of a class that no closed form knows
    z = q.sample((200_000, 1))
    draws = kl(q, hidden, z)
    assert draws.shape == (200_000, 1)
    exact = kl(q, p, z).item()
    assert abs(draws.mean().item() - exact) < 4 * draws.std().item() / math.sqrt(draws.numel())


def test_dependent_entries_are_refused():
    full = MultivariateNormal(torch.zeros(2), torch.eye(2))
    with pytest.raises(ValueError, match="not independent"):
        entrywise_kl(full, gaussian(0.0, 0.0, 2))
    with pytest.raises(ValueError, match="not independent"):
        entrywise_log_prob(full, torch.zeros(2))


def test_entrywise_log_prob_adds_up():
    p = Independent(Laplace(torch.zeros(3, 2), torch.ones(3, 2)), 2)
    x = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(entrywise_log_prob(p, x).sum((-1, -2)), p.log_prob(x))


@pytest.mark.parametrize("kind", ["full", "low-rank"])
def test_full_covariances_against_a_diagonal_prior(kind):
    """Against torch's form for two full covariances."""
    g = torch.Generator().manual_seed(0)
    factor = torch.randn(3, 4, 2, generator=g, dtype=torch.float64)
    noise = torch.rand(3, 4, generator=g, dtype=torch.float64) + 0.1
    mean = torch.randn(3, 4, generator=g, dtype=torch.float64)
    covariance = factor @ factor.mT + torch.diag_embed(noise)
    q = LowRankMultivariateNormal(mean, factor, noise) if kind == "low-rank" else MultivariateNormal(mean, covariance)
    scale = torch.rand(4, generator=g, dtype=torch.float64) + 0.5
    p = Independent(Normal(torch.ones(4, dtype=torch.float64), scale), 1)
    dense = MultivariateNormal(torch.ones(4, dtype=torch.float64), torch.diag(scale**2))
    expected = torch.distributions.kl_divergence(MultivariateNormal(mean, covariance), dense)
    torch.testing.assert_close(kl(q, p, mean), expected)


def test_a_full_covariance_against_another_family_is_sampled():
    q = MultivariateNormal(torch.zeros(1, 2), torch.eye(2))
    p = Independent(Laplace(torch.zeros(2), torch.ones(2)), 1)
    z = torch.ones(3, 1, 2)
    torch.testing.assert_close(kl(q, p, z), q.log_prob(z) - p.log_prob(z))
