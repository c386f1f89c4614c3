"""The mixture of discretized logistics, by enumeration of its levels."""

import pytest
import torch
from scipy import stats

from lowerbound.distributions import DiscretizedLogistic, DiscretizedLogisticMixture


def make(levels, components=3, batch=(2,), size=1.0):
    g = torch.Generator().manual_seed(0)
    logits = size * torch.randn(components, *batch, generator=g, dtype=torch.float64)
    loc = torch.rand(components, *batch, generator=g, dtype=torch.float64)
    log_scale = -2 + size * torch.randn(components, *batch, generator=g, dtype=torch.float64)
    return DiscretizedLogisticMixture(logits, loc, log_scale, levels)


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("size", [1.0, 8.0])
def test_mass_sums_to_one_and_has_the_mean(levels, size):
    p = make(levels, size=size)
    x = (torch.arange(levels, dtype=torch.float64) / (levels - 1)).unsqueeze(-1).expand(-1, 2)
    mass = p.log_prob(x).exp()
    torch.testing.assert_close(mass.sum(0), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close((mass * x).sum(0), p.mean)


def test_it_is_the_weighted_sum_of_its_components():
    p = make(256)
    x = torch.tensor([[0.0, 1.0], [0.2, 0.6]], dtype=torch.float64)
    parts = [
        DiscretizedLogistic(p.components.loc[m], p.components.log_scale[m]).log_prob(x).exp() * p.log_weights[m].exp()
        for m in range(3)
    ]
    torch.testing.assert_close(p.log_prob(x), sum(parts).log())


def test_draws_follow_the_mass():
    """χ² at level 1e-4, 20,000 draws, seed 0."""
    torch.manual_seed(0)
    p = make(9)
    draws = (p.sample((20_000,)) * 8).round().long()
    mass = p.log_prob((torch.arange(9, dtype=torch.float64) / 8).unsqueeze(-1).expand(-1, 2)).exp()
    for i in range(2):
        counts = torch.bincount(draws[:, i], minlength=9)
        assert stats.chisquare(counts.numpy(), 20_000 * mass[:, i].numpy()).pvalue > 1e-4


def test_gradients_are_right():
    x = torch.tensor([0.0, 1.0], dtype=torch.float64)
    parts = [make(256).log_weights, make(256).components.loc, make(256).components.log_scale]
    parts = [part.detach().clone().requires_grad_() for part in parts]
    assert torch.autograd.gradcheck(lambda *p: DiscretizedLogisticMixture(*p).log_prob(x), parts)
