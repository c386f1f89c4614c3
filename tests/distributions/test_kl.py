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

from lowerbound.distributions import discrete_kl, entrywise_kl, entrywise_log_prob, kl, monte_carlo_kl
from lowerbound.errors import UserError


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


@pytest.mark.parametrize("kind", ["full", "low-rank", "diagonal"])
def test_closed_forms_agree_with_monte_carlo_both_ways(kind):
    """Forward, and where it has a closed form the reverse, within 4 standard errors; 20,000 draws, seed 0."""
    torch.manual_seed(0)
    mean, noise = torch.randn(2, 3).double(), torch.rand(2, 3).double() + 0.2
    factor = torch.randn(2, 3, 1).double()
    q = {
        "full": MultivariateNormal(mean, factor @ factor.mT + torch.diag_embed(noise)),
        "low-rank": LowRankMultivariateNormal(mean, factor, noise),
        "diagonal": Independent(Normal(mean, noise.sqrt()), 1),
    }[kind]
    p = Independent(Normal(torch.ones(3).double(), 1.5 * torch.ones(3).double()), 1)
    for a, b in [(q, p), (p, q)] if kind == "diagonal" else [(q, p)]:
        value, error = monte_carlo_kl(a, b, 20_000)
        assert value.shape == error.shape == (2,)
        assert ((value - kl(a, b, mean)).abs() < 4 * error).all()


def test_the_standard_error_is_that_of_the_mean():
    """Of 2,000 estimates from 50 draws, 95 ± 3 percent are within two standard errors of the truth, seed 0."""
    torch.manual_seed(0)
    q = Independent(Normal(torch.full((2_000, 3), 0.5), torch.ones(2_000, 3)), 1)
    p = gaussian(0.0, 0.0, 3)
    value, error = monte_carlo_kl(q, p, 50)
    inside = ((value - 0.375).abs() < 2 * error).float().mean().item()
    assert inside == pytest.approx(0.95, abs=0.03)


def test_one_draw_has_no_standard_error():
    with pytest.raises(ValueError, match="samples must be at least 2"):
        monte_carlo_kl(gaussian(0.0, 0.0), gaussian(1.0, 0.0), 1)


def test_discrete_kl_is_the_sum_and_broadcasts():
    p, q = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]), torch.tensor([0.25, 0.25, 0.5])
    expected = [0.5 * math.log(2) + 0.25 * math.log(0.5), math.log(4)]
    torch.testing.assert_close(discrete_kl(p, q), torch.tensor(expected))
    forward, reverse = discrete_kl(q, p[0]), discrete_kl(p[0], q)
    assert forward.item() == pytest.approx(0.25 * math.log(0.5) + 0.5 * math.log(2))
    assert forward.item() == pytest.approx(reverse.item())  # here the two agree, since the states trade places
    assert discrete_kl(p[1], torch.tensor([0.9, 0.1, 0.0])).item() == pytest.approx(-math.log(0.9))


@pytest.mark.parametrize(
    ("p", "q", "value"),
    [
        ([0.0, 1.0], [0.5, 0.5], math.log(2)),
        ([0.5, 0.5], [0.0, 1.0], math.inf),
        ([0.0, 1.0], [0.0, 1.0], 0.0),
        ([0.3, 0.7], [0.3, 0.7], 0.0),
    ],
)
def test_discrete_kl_at_the_edges(p, q, value):
    assert discrete_kl(torch.tensor(p), torch.tensor(q)).item() == pytest.approx(value)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([0.5, 0.6], "adds up to 1.1"),
        ([-0.5, 1.5], "negative or not a number"),
        ([math.nan, 1.0], "negative or not a number"),
        ([0.0, 0.0], "adds up to 0"),
        ([math.inf, 0.0], "adds up to inf"),
    ],
)
def test_what_are_no_probabilities_is_refused(bad, words):
    good = torch.tensor([0.5, 0.5])
    for arguments, name in (((torch.tensor(bad), good), "p"), ((good, torch.tensor(bad)), "q")):
        with pytest.raises(UserError, match=f"^{name} .*{words}"):
            discrete_kl(*arguments)


def test_probabilities_from_a_softmax_are_accepted():
    for states in (3, 10_000):
        p = torch.randn(5, states, generator=torch.Generator().manual_seed(0)).mul(5).softmax(-1)
        assert (discrete_kl(p, p) == 0).all()
