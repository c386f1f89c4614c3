"""Posteriors and priors: what their parameters mean, and that their draws follow their densities."""

import pytest
import torch

from lowerbound.posteriors import LOG_VARIANCE_BOUND, POSTERIORS, DiagonalGaussian, FullGaussian, LowRankGaussian
from lowerbound.priors import PRIORS, GaussianMixture, StandardNormal


def test_features_are_mean_and_log_variance():
    features = torch.tensor([[1.0, -2.0, 0.0, 1.4]])
    q = DiagonalGaussian(2)(features)
    torch.testing.assert_close(q.mean, torch.tensor([[1.0, -2.0]]))
    torch.testing.assert_close(q.variance, torch.exp(torch.tensor([[0.0, 1.4]])))
    assert (q.batch_shape, q.event_shape) == ((1,), (2,))


def test_log_variance_is_bounded_and_untouched_within():
    q = DiagonalGaussian(1)(torch.tensor([[0.0, 1e6], [0.0, -1e6]]))
    assert torch.isfinite(q.variance).all()
    assert (q.variance > 0).all()
    inside = torch.linspace(-LOG_VARIANCE_BOUND, LOG_VARIANCE_BOUND, 9)
    q = DiagonalGaussian(1)(torch.stack([torch.zeros(9), inside], -1))
    torch.testing.assert_close(q.stddev[:, 0], torch.exp(0.5 * inside))


def test_prior_is_standard_normal_and_keeps_no_state():
    prior = StandardNormal(3)
    assert prior.state_dict() == {}
    p = prior()
    assert (p.batch_shape, p.event_shape) == ((), (3,))
    assert p.log_prob(torch.zeros(3)).item() == pytest.approx(3 * -0.9189385)


@pytest.mark.parametrize("name", POSTERIORS)
def test_draws_follow_mean_and_variance(name):
    """40,000 draws, 5 standard errors, seed 0; and gradients reach every parameter through them."""
    torch.manual_seed(0)
    head = POSTERIORS[name](3)
    parameters = torch.randn(2, *head.parameter_shape, dtype=torch.float64, requires_grad=True)
    q = head(parameters)
    assert (q.batch_shape, q.event_shape) == ((2,), (3,))
    z = q.rsample((40_000,))
    assert ((z.mean(0) - q.mean).abs() < 5 * (q.variance / 40_000).sqrt()).all()
    assert ((z.var(0) / q.variance - 1).abs() < 5 * (2 / 40_000) ** 0.5).all()
    z.square().sum().backward()
    assert (parameters.grad != 0).all()


def test_full_gaussian_fills_its_triangle():
    q = FullGaussian(3)(torch.arange(9.0))
    expected = torch.diag(torch.exp(0.5 * torch.tensor([3.0, 4.0, 5.0])))
    expected[1, 0], expected[2, 0], expected[2, 1] = 6.0, 7.0, 8.0
    torch.testing.assert_close(q.scale_tril, expected)


def test_low_rank_gaussian_s_covariance():
    q = LowRankGaussian(3, rank=1)(torch.arange(9.0))
    u = torch.tensor([6.0, 7.0, 8.0])
    torch.testing.assert_close(q.covariance_matrix, u.outer(u) + torch.diag(torch.exp(torch.tensor([3.0, 4.0, 5.0]))))


def test_mixture_is_the_sum_of_its_gaussians():
    torch.manual_seed(0)
    prior = GaussianMixture(2, components=3)
    with torch.no_grad():
        prior.logits.copy_(torch.tensor([0.0, 1.0, -1.0]))
        prior.log_variance.normal_()
    z = torch.randn(5, 2)
    density = sum(
        weight * torch.distributions.Normal(loc, torch.exp(0.5 * log_variance)).log_prob(z).sum(-1).exp()
        for weight, loc, log_variance in zip(prior.logits.softmax(0), prior.loc, prior.log_variance, strict=True)
    )
    torch.testing.assert_close(prior().log_prob(z), density.log())


@pytest.mark.parametrize("part", [*POSTERIORS.values(), *PRIORS.values()])
def test_dimension_must_be_positive(part):
    with pytest.raises(ValueError, match="latent_dim must be at least 1, not 0"):
        part(0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LowRankGaussian(3, rank=0), "rank must be at least 1"),
        (lambda: GaussianMixture(3, components=0), "components must be at least 1"),
        (lambda: GaussianMixture(3, spread=-1.0), "spread must not be negative"),
    ],
)
def test_settings_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
