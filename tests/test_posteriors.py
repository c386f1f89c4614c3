"""The diagonal Gaussian posterior and the standard normal prior."""

import pytest
import torch

from lowerbound.posteriors import LOG_VARIANCE_BOUND, DiagonalGaussian
from lowerbound.priors import StandardNormal


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


@pytest.mark.parametrize("part", [DiagonalGaussian, StandardNormal])
def test_dimension_must_be_positive(part):
    with pytest.raises(ValueError, match="latent_dim must be at least 1, not 0"):
        part(0)
