"""The turned Gaussian against a multivariate normal with its covariance."""

import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from lowerbound.distributions import HouseholderGaussian, kl, monte_carlo_kl


def make(batch=3, dims=4, reflections=2):
    g = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, batch, dims, generator=g, dtype=torch.float64)
    vectors = torch.randn(batch, reflections, dims, generator=g, dtype=torch.float64)
    turn = torch.eye(dims, dtype=torch.float64).expand(batch, dims, dims)
    for v in vectors.unbind(1):
        unit = v / v.norm(dim=-1, keepdim=True)
        turn = (torch.eye(dims, dtype=torch.float64) - 2 * unit.unsqueeze(-1) * unit.unsqueeze(-2)) @ turn
    covariance = turn @ torch.diag_embed(log_variance.exp()) @ turn.mT
    q = HouseholderGaussian(mean, log_variance, vectors)
    return q, MultivariateNormal((turn @ mean.unsqueeze(-1)).squeeze(-1), covariance)


def test_density_mean_and_variance():
    q, exact = make()
    z = exact.sample((5,))
    torch.testing.assert_close(q.log_prob(z), exact.log_prob(z))
    torch.testing.assert_close(q.mean, exact.mean)
    torch.testing.assert_close(q.variance, exact.variance)


def test_draws_have_the_covariance():
    """50,000 draws, each entry within 5 standard errors, seed 0."""
    torch.manual_seed(0)
    q, exact = make(batch=1)
    z = q.rsample((50_000,))[:, 0]
    covariance, diagonal = exact.covariance_matrix[0], exact.variance[0]
    error = ((covariance.square() + diagonal.outer(diagonal)) / 50_000).sqrt()
    assert ((torch.cov(z.T) - covariance).abs() < 5 * error).all()
    assert ((z.mean(0) - exact.mean[0]).abs() < 5 * (diagonal / 50_000).sqrt()).all()


def test_closed_form_kl():
    """Against torch's form for two full covariances, and Monte Carlo within 4 standard errors, seed 0."""
    torch.manual_seed(0)
    q, exact = make()
    scale = torch.tensor([0.5, 1.0, 2.0, 1.5], dtype=torch.float64)
    p = Independent(Normal(torch.ones(4, dtype=torch.float64), scale), 1)
    dense = MultivariateNormal(torch.ones(4, dtype=torch.float64), torch.diag(scale**2))
    torch.testing.assert_close(kl(q, p, exact.mean), kl_divergence(exact, dense))
    value, error = monte_carlo_kl(q, p, 20_000)
    assert ((value - kl(q, p, exact.mean)).abs() < 4 * error).all()


def test_gradient_reaches_every_vector_and_extremes_stay_finite():
    vectors = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    q = HouseholderGaussian(torch.zeros(2, 4), torch.tensor([-1e6, 1e6, 0.0, 1.0]).expand(2, 4), vectors)
    z = q.rsample()
    (z[..., 0] * 1e-4).sum().backward()
    assert (vectors.grad != 0).any(-1).all()
    assert torch.isfinite(vectors.grad).all()
    assert torch.isfinite(q.log_prob(q.rsample())).all()
