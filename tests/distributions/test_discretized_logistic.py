"""The discretized logistic against its definition, in float64, and its samples."""

import pytest
import torch
from scipy import stats

from lowerbound.distributions import DiscretizedLogistic


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("loc", [-3.0, 0.0, 0.4, 1.0, 2.0])
@pytest.mark.parametrize("log_scale", [-10.0, -4.0, -1.0, 2.0, 5.0])
def test_mass_sums_to_one(levels, loc, log_scale):
    x = torch.arange(levels, dtype=torch.float64) / (levels - 1)
    p = DiscretizedLogistic(
        torch.tensor(loc, dtype=torch.float64), torch.tensor(log_scale, dtype=torch.float64), levels
    )
    assert p.log_prob(x).exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert p.mean.item() == pytest.approx((p.log_prob(x).exp() * x).sum().item(), abs=1e-12)


def test_mass_is_the_difference_of_the_cdf():
    x = torch.arange(256, dtype=torch.float64) / 255
    loc, scale = 0.3, 0.05
    p = DiscretizedLogistic(torch.tensor(loc, dtype=torch.float64), torch.tensor(scale, dtype=torch.float64).log())
    half = 0.5 / 255
    cdf = stats.logistic(loc, scale).cdf
    expected = torch.from_numpy(cdf(x[1:-1] + half) - cdf(x[1:-1] - half))
    torch.testing.assert_close(p.log_prob(x[1:-1]).exp(), expected, atol=1e-12, rtol=1e-9)
    assert p.log_prob(x[0]).exp().item() == pytest.approx(cdf(half))
    assert p.log_prob(x[-1]).exp().item() == pytest.approx(1 - cdf(1 - half))


def test_float32_is_finite_far_away_with_right_gradients():
    loc = torch.tensor([-40.0, 0.0, 0.5, 40.0], requires_grad=True)
    log_scale = torch.tensor([-10.0, -10.0, 5.0, -10.0], requires_grad=True)
    x = torch.tensor([[0.0], [0.5], [1.0]]) * torch.ones(4)
    log_prob = DiscretizedLogistic(loc, log_scale).log_prob(torch.round(x * 255) / 255)
    assert torch.isfinite(log_prob).all()
    log_prob.sum().backward()
    assert torch.isfinite(loc.grad).all()
    assert torch.isfinite(log_scale.grad).all()
    near = (
        torch.tensor([0.2, 0.9], dtype=torch.float64, requires_grad=True),
        torch.tensor([-3.0, -1.0], dtype=torch.float64, requires_grad=True),
    )
    at = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda m, s: DiscretizedLogistic(m, s).log_prob(at), near)


def test_samples_follow_the_mass():
    """χ² at level 1e-4, seed 0."""
    torch.manual_seed(0)
    p = DiscretizedLogistic(torch.tensor(0.35), torch.tensor(-2.0), levels=9)
    draws = (p.sample((50_000,)) * 8).round().long()
    observed = torch.bincount(draws, minlength=9).numpy()
    expected = p.log_prob(torch.arange(9) / 8).double().exp().numpy()
    assert stats.chisquare(observed, expected / expected.sum() * 50_000).pvalue > 1e-4


def test_too_few_levels_are_refused():
    with pytest.raises(ValueError, match="at least 2 levels"):
        DiscretizedLogistic(torch.zeros(1), torch.zeros(1), levels=1)
