"""Groups of one-hot vectors by enumeration, and their relaxation by quadrature."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from lowerbound.distributions import OneHotGroups, RelaxedOneHotGroups, kl, monte_carlo_kl


def logits(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_every_state_once_and_masses_that_add_up():
    q = OneHotGroups(logits(4, 2, 3))
    states = q.enumerate_support()
    assert states.shape == (9, 4, 6)
    assert q.enumerate_support(expand=False).shape == (9, 1, 6)
    assert len(torch.unique(states[:, 0], dim=0)) == 9
    mass = q.log_prob(states).exp()
    torch.testing.assert_close(mass.sum(0), torch.ones(4, dtype=torch.float64))
    mean = (mass.unsqueeze(-1) * states).sum(0)
    torch.testing.assert_close(q.mean, mean)
    torch.testing.assert_close(q.variance, (mass.unsqueeze(-1) * (states - mean).square()).sum(0))
    torch.testing.assert_close(q.entropy(), -(mass * mass.log()).sum(0))


def test_closed_form_kl_is_the_sum_over_states():
    q, p = OneHotGroups(logits(4, 2, 3)), OneHotGroups(logits(2, 3, seed=1))
    states = q.enumerate_support()
    exact = (q.log_prob(states).exp() * (q.log_prob(states) - p.log_prob(states))).sum(0)
    torch.testing.assert_close(kl(q, p, states), exact)


def test_draws_follow_the_mass():
    """χ² over the nine states at level 1e-4, 20,000 draws, seed 0."""
    torch.manual_seed(0)
    q = OneHotGroups(logits(2, 2, 3))
    z = q.sample((20_000,))
    assert z.shape == (20_000, 2, 6)
    states = q.enumerate_support()
    for i in range(2):
        counts = (z[:, None, i] == states[:, i]).all(-1).sum(0)
        assert counts.sum() == 20_000
        assert stats.chisquare(counts.numpy(), 20_000 * q.log_prob(states)[:, i].exp().numpy()).pvalue > 1e-4


def test_too_many_states_are_refused():
    with pytest.raises(ValueError, match="too many states"):
        OneHotGroups(torch.zeros(50, 10)).enumerate_support()


@pytest.mark.parametrize("temperature", [0.5, 1.3])
def test_relaxed_density_integrates_to_one(temperature):
    """Over the simplex of three corners, with the map z = softmax(a, b, 0), |∂z| = z₁ z₂ z₃."""
    q = RelaxedOneHotGroups(logits(1, 3), temperature)
    grid = torch.linspace(-60, 60, 801, dtype=torch.float64)
    a, b = torch.meshgrid(grid, grid, indexing="ij")
    z = torch.stack([a, b, torch.zeros_like(a)], -1).softmax(-1)
    log_volume = torch.stack([a, b, torch.zeros_like(a)], -1).log_softmax(-1).sum(-1)
    density = (q.log_prob(z) + log_volume).exp()
    assert (density.sum() * (grid[1] - grid[0]) ** 2).item() == pytest.approx(1, abs=1e-6)


def test_relaxed_draws_follow_the_density():
    """With two corners log z₁/z₂ is logistic of scale 1 / τ: Kolmogorov-Smirnov at level 1e-4, seed 0."""
    torch.manual_seed(0)
    one = logits(1, 2)
    z = RelaxedOneHotGroups(one, 0.7).sample((20_000,))
    torch.testing.assert_close(z.sum(-1), torch.ones(20_000, dtype=torch.float64))
    odds = (z[:, 0] / z[:, 1]).log().numpy()
    assert stats.kstest(odds, stats.logistic((one[0, 0] - one[0, 1]).item() / 0.7, 1 / 0.7).cdf).pvalue > 1e-4


def test_relaxed_agrees_with_torch_s():
    parameters = logits(4, 2, 3)
    q = RelaxedOneHotGroups(parameters, 0.6)
    theirs = torch.distributions.RelaxedOneHotCategorical(torch.tensor(0.6, dtype=torch.float64), logits=parameters)
    torch.manual_seed(0)
    z = q.rsample((5,))
    torch.testing.assert_close(q.log_prob(z), theirs.log_prob(z.unflatten(-1, (2, 3))).sum(-1))


def test_gradient_of_relaxed_draws():
    """∂ E[z₁²] by the logit within 5 standard errors of quadrature, 100,000 draws, seed 0."""
    torch.manual_seed(0)
    n, tau, odds = 100_000, 0.7, 0.4
    parameters = torch.tensor([[[odds, 0.0]]], dtype=torch.float64).repeat(n, 1, 1).requires_grad_()
    z = RelaxedOneHotGroups(parameters, tau).rsample()
    (each,) = torch.autograd.grad(z[:, 0].square().sum(), parameters)
    u = (np.arange(200_000) + 0.5) / 200_000
    z1 = 1 / (1 + np.exp(-(odds + np.log(u / (1 - u))) / tau))
    exact = (2 * z1 * z1 * (1 - z1) / tau).mean()
    slopes = each[:, 0, 0]
    assert abs(slopes.mean().item() - exact) < 5 * slopes.std().item() / math.sqrt(n)


def test_kl_of_relaxations_by_monte_carlo():
    """Of a two-cornered one from another at the same temperature, against quadrature; 4 standard errors, seed 0."""
    torch.manual_seed(0)
    q = RelaxedOneHotGroups(torch.tensor([[1.0, 0.0]], dtype=torch.float64), 0.6)
    p = RelaxedOneHotGroups(torch.zeros(1, 2, dtype=torch.float64), 0.6)
    u = (np.arange(200_000) + 0.5) / 200_000
    location, scale = 1 / 0.6, 1 / 0.6
    y = location + scale * np.log(u / (1 - u))
    exact = (stats.logistic(location, scale).logpdf(y) - stats.logistic(0, scale).logpdf(y)).mean()
    value, error = monte_carlo_kl(q, p, 50_000)
    assert abs(value.item() - exact) < 4 * error.item()


def test_extreme_parameters_stay_finite():
    parameters = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    for temperature in (0.05, 5.0):
        q = RelaxedOneHotGroups(parameters, temperature)
        z = q.rsample((10,))
        (q.log_prob(z) + z.square().sum(-1)).sum().backward()
        assert torch.isfinite(q.log_prob(z)).all()
        assert torch.isfinite(parameters.grad).all()
    assert torch.isfinite(OneHotGroups(parameters).log_prob(torch.eye(3))).all()


def test_mean_of_the_relaxation_is_that_of_its_choice():
    """Each corner is the largest with its probability: within 5 standard errors, 40,000 draws, seed 0."""
    torch.manual_seed(0)
    q = RelaxedOneHotGroups(logits(2, 3), 0.5)
    largest = torch.nn.functional.one_hot(q.sample((40_000,)).unflatten(-1, (2, 3)).argmax(-1), 3).flatten(1).double()
    assert ((largest.mean(0) - q.mean).abs() < 5 * (q.mean * (1 - q.mean) / 40_000).sqrt()).all()
