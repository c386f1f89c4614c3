"""The continuous Bernoulli against quadrature, its own samples and a high-precision reference."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad

from lowerbound.distributions import ContinuousBernoulli

LOGITS = [-80.0, -12.0, -3.0, -0.11, -0.09, -1e-4, 0.0, 1e-4, 0.05, 0.099, 0.101, 2.0, 12.0, 80.0]


def log_density(x: float, logit: float) -> float:
    """By the definition, in float64, away from a logit of zero."""
    constant = math.log(2) if abs(logit) < 1e-9 else math.log(logit / math.tanh(logit / 2))
    return x * logit - np.logaddexp(0, logit) + constant


@pytest.mark.parametrize("logit", LOGITS)
def test_density_integrates_to_one(logit):
    p = ContinuousBernoulli(torch.tensor(logit, dtype=torch.float64))
    edges = np.unique([0, *(0.5 ** np.arange(12)), *(1 - 0.5 ** np.arange(12))])
    mass = sum(
        quad(lambda x: math.exp(p.log_prob(torch.tensor(x, dtype=torch.float64)).item()), a, b)[0]
        for a, b in pairwise(edges)
    )
    assert mass == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("logit", LOGITS)
def test_float32_density_and_mean_agree_with_float64_definition(logit):
    p = ContinuousBernoulli(torch.tensor(logit))
    for x in (0.0, 0.3, 1.0):
        assert p.log_prob(torch.tensor(x)).item() == pytest.approx(log_density(x, logit), rel=2e-6, abs=2e-6)
    mean = quad(lambda x: x * math.exp(log_density(x, logit)), 0, 1, points=[0.05, 0.95])[0]
    assert p.mean.item() == pytest.approx(mean, abs=3e-6)


def test_agrees_with_torch_where_torch_is_accurate():
    logits = torch.linspace(-6, 6, 25)
    x = torch.rand(7, 1, generator=torch.Generator().manual_seed(0))
    theirs = torch.distributions.ContinuousBernoulli(logits=logits.double())
    torch.testing.assert_close(
        ContinuousBernoulli(logits).log_prob(x).double(), theirs.log_prob(x.double()), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("logit", LOGITS)
def test_samples_follow_the_density(logit):
    """Kolmogorov-Smirnov at level 1e-4, seed 0."""
    torch.manual_seed(0)
    draws = ContinuousBernoulli(torch.tensor(logit, dtype=torch.float64)).rsample((20_000,)).numpy()

    def cdf(x):
        return (
            x if abs(logit) < 1e-9 else np.expm1(logit * x) / np.expm1(logit) if logit < 30 else np.exp(logit * (x - 1))
        )

    assert stats.kstest(draws, cdf).pvalue > 1e-4


def test_gradients_are_finite_and_right():
    logits = torch.tensor(LOGITS[1:-1], dtype=torch.float64, requires_grad=True)
    x = torch.full_like(logits, 0.7).detach()
    assert torch.autograd.gradcheck(lambda p: ContinuousBernoulli(p).log_prob(x), (logits,))
    extreme = torch.tensor([-1e4, 0.0, 1e4], requires_grad=True)
    ContinuousBernoulli(extreme).log_prob(torch.tensor([0.0, 0.5, 1.0])).sum().backward()
    assert torch.isfinite(extreme.grad).all()
