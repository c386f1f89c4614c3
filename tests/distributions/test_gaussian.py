"""The mixture of diagonal Gaussians against torch's, term by term."""

import math

import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from lowerbound.distributions import DiagonalGaussianMixture


def make(components=4, dims=3, dtype=torch.float64, spread=1.0):
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(components, generator=g, dtype=dtype)
    loc = spread * torch.randn(components, dims, generator=g, dtype=dtype)
    scale = torch.rand(components, dims, generator=g, dtype=dtype) + 0.2
    theirs = MixtureSameFamily(Categorical(logits=logits), Independent(Normal(loc, scale), 1))
    return DiagonalGaussianMixture(logits, loc, scale), theirs


def test_density_and_moments():
    ours, theirs = make()
    z = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(ours.log_prob(z), theirs.log_prob(z))
    torch.testing.assert_close(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.variance, theirs.variance)


def test_density_integrates_to_one():
    ours, _ = make(dims=2)
    grid = torch.linspace(-9, 9, 601, dtype=torch.float64)
    z = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), -1)
    torch.testing.assert_close(ours.log_prob(z).exp().sum() * (grid[1] - grid[0]) ** 2, z.new_ones(()))


def test_narrow_components_far_from_the_origin_lose_nothing_to_float32():
    """μ / σ = 5,000, where the expanded square alone is 10⁷ and the density must be right to 1e-3 nats."""
    loc, scale = torch.tensor([[5.0, -5.0]]), torch.tensor([[1e-3, 1e-3]])
    z = loc + scale * torch.tensor([[0.5, -1.0], [2.0, 0.1]])
    exact = Independent(Normal(loc.double(), scale.double()), 1).log_prob(z.double())
    value = DiagonalGaussianMixture(torch.zeros(1), loc, scale).log_prob(z)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), exact, atol=1e-3, rtol=0)


def test_draws_have_the_mean_and_the_variance():
    """40,000 draws, 5 standard errors, seed 0."""
    torch.manual_seed(0)
    ours, _ = make()
    z = ours.sample((20_000, 2))
    assert z.shape == (20_000, 2, 3)
    z = z.flatten(0, 1)
    assert ((z.mean(0) - ours.mean).abs() < 5 * (ours.variance / 40_000).sqrt()).all()
    square = (z - ours.mean).square()
    assert ((square.mean(0) - ours.variance).abs() < 5 * square.std(0) / math.sqrt(40_000)).all()
