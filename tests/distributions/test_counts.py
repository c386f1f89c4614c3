"""Counts against scipy, by summation, and their draws."""

import numpy as np
import pytest
import torch
from scipy import stats

from lowerbound.distributions import NegativeBinomial, Poisson, ZeroInflated

MEANS = [0.03, 1.0, 40.0, 3e4]
DISPERSIONS = [0.1, 2.0, 1e3, 1e7]


def tensor(value):
    return torch.tensor(value)


@pytest.mark.parametrize("mean", MEANS)
def test_poisson_in_float32(mean):
    x = np.array([0, 1, 3, int(mean), int(2 * mean) + 1])
    value = Poisson(tensor(mean).log()).log_prob(torch.tensor(x, dtype=torch.float32))
    exact = stats.poisson(tensor(mean).log().double().exp().item()).logpmf(x)
    np.testing.assert_allclose(value.numpy(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("r", DISPERSIONS)
def test_negative_binomial_in_float32(mean, r):
    x = np.array([0, 1, 3, int(mean), int(2 * mean) + 1])
    p = NegativeBinomial(tensor(mean).log(), tensor(r).log())
    m, size = (each.log().double().exp().item() for each in (tensor(mean), tensor(r)))
    np.testing.assert_allclose(
        p.log_prob(torch.tensor(x, dtype=torch.float32)).numpy(),
        stats.nbinom(size, size / (size + m)).logpmf(x),
        rtol=2e-5,
        atol=1e-4,
    )
    np.testing.assert_allclose(p.variance.item(), m + m * m / size, rtol=1e-4)


def examples():
    mean, r, chance = tensor([0.3, 2.5, 6.0]), tensor([0.5, 2.0, 50.0]), tensor([-2.0, 0.0, 1.0])
    counts = NegativeBinomial(mean.log(), r.log())
    return [Poisson(mean.log()), counts, ZeroInflated(counts, chance), ZeroInflated(Poisson(mean.log()), chance)]


@pytest.mark.parametrize("p", examples(), ids=lambda p: type(p).__name__)
def test_mass_sums_to_one_has_the_mean_and_is_drawn_from(p):
    """χ² at level 1e-4 over the counts below 12 and the rest, 20,000 draws, seed 0."""
    torch.manual_seed(0)
    x = torch.arange(400.0).unsqueeze(-1).expand(-1, 3)
    mass = p.log_prob(x).double().exp()
    torch.testing.assert_close(mass.sum(0), torch.ones(3, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close((mass * x).sum(0).float(), p.mean, atol=1e-4, rtol=1e-4)
    draws = p.sample((20_000,)).long().clamp(max=12)
    for i in range(3):
        share = np.append(mass[:12, i].numpy(), mass[12:, i].sum().item())
        counts = torch.bincount(draws[:, i], minlength=13).numpy()
        likely = share * 20_000 > 5
        folded = np.append(share[likely], share[~likely].sum()), np.append(counts[likely], counts[~likely].sum())
        share, counts = (each[:-1] if folded[0][-1] == 0 else each for each in folded)
        assert stats.chisquare(counts, share / share.sum() * 20_000).pvalue > 1e-4


def test_zeros_of_two_kinds_add_up():
    p = ZeroInflated(Poisson(tensor([2.0]).log()), tensor([0.4]).logit())
    expected = 0.4 + 0.6 * np.exp(-2)
    assert p.log_prob(torch.zeros(1)).exp().item() == pytest.approx(expected)
    assert p.log_prob(torch.ones(1)).exp().item() == pytest.approx(0.6 * 2 * np.exp(-2))


def test_gradients_are_right():
    mean, r, chance = (
        torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in ([0.4, 2.0], [1.0, -0.5], [0.3, 0.1])
    )
    x = torch.tensor([0.0, 4.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda m, r, c: ZeroInflated(NegativeBinomial(m, r), c).log_prob(x), (mean, r, chance)
    )
    assert torch.autograd.gradcheck(lambda m: Poisson(m).log_prob(x), mean)
