"""Posteriors: what their parameters mean, and that their draws follow their densities."""

import math

import pytest
import torch
from torch import nn

from lowerbound.distributions.gaussian import LOG_VARIANCE_BOUND
from lowerbound.errors import UserError
from lowerbound.posteriors import (
    POSTERIORS,
    Categorical,
    Deterministic,
    DiagonalGaussian,
    FlowPosterior,
    FullGaussian,
    Householder,
    LowRankGaussian,
    RelaxedCategorical,
    VectorQuantized,
    VonMisesFisher,
    check_same_space,
)
from lowerbound.posteriors.sphere import CONCENTRATION_BOUNDS
from lowerbound.priors import AutoregressiveCategorical, StandardNormal, UniformCategorical, UniformSphere

# Those that are a single point; their distributions have tests of their own.
POINTS = [name for name, head in POSTERIORS.items() if not getattr(head, "spreads", True)]
SPREAD = [name for name in POSTERIORS if name not in POINTS]


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


@pytest.mark.parametrize("name", [name for name in SPREAD if name not in ("flow", "relaxed-categorical")])
def test_draws_follow_mean_and_variance(name):
    """40,000 draws, 5 standard errors, seed 0. Flows and relaxations know no moments: their densities are tested."""
    torch.manual_seed(0)
    head = POSTERIORS[name](3)
    q = head(torch.randn(2, *head.parameter_shape, dtype=torch.float64))
    assert (q.batch_shape, q.event_shape) == ((2,), (3,))
    z = q.sample((40_000,))
    assert ((z.mean(0) - q.mean).abs() < 5 * (q.variance / 40_000).sqrt()).all()
    square = (z - q.mean).square()
    assert ((square.mean(0) - q.variance).abs() < 5 * square.std(0) / 200).all()


@pytest.mark.parametrize("name", [name for name in SPREAD if name != "categorical"])
def test_gradients_reach_every_feature_through_the_draws(name):
    torch.manual_seed(0)
    head = POSTERIORS[name](3)
    parameters = torch.randn(2, *head.parameter_shape, requires_grad=True)
    z = head(parameters).rsample((100,))
    (z * torch.tensor([1.0, 2.0, -1.0])).exp().sum().backward()
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


def test_a_single_point_is_what_the_features_say():
    """The point itself; or the code of a codebook nearest to it, of each group."""
    assert POINTS == ["vector-quantized", "deterministic"]
    features = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Deterministic(3)(features).rsample(), features)
    head = VectorQuantized(6, categories=3, code_dim=2)
    assert (head.groups, head.code_shape, head.parameter_shape) == ((2, 3), (2, 2), (2, 2))
    # Off by less than half of the way to the next code.
    codes = torch.tensor([[0.0, 0.0], [0.0, 3.0], [5.0, 0.0]])
    head.codebook.codes.copy_(codes)
    z = head(codes[torch.tensor([[2, 0], [1, 1]])] + 1.0).sample()
    assert torch.equal(z.unflatten(-1, (2, 3)).argmax(-1), torch.tensor([[2, 0], [1, 1]]))
    assert torch.equal(head.codebook(z), codes[torch.tensor([[2, 0], [1, 1]])])


@pytest.mark.parametrize("name", SPREAD)
def test_extreme_features_stay_finite(name):
    """Density and its gradient, at the posterior's own draws.

    The factor of a full covariance whose features are all −1e4 cannot be inverted in float32; all −10 it can.
    """
    torch.manual_seed(0)
    head = POSTERIORS[name](6)
    for size in (-10.0, 0.0, 10.0) if name == "full-gaussian" else (-1e4, 0.0, 1e4):
        parameters = torch.full((2, *head.parameter_shape), size, requires_grad=True)
        q = head(parameters)
        z = q.rsample((3,)) if q.has_rsample else q.sample((3,))
        log_q = q.log_prob(z)
        log_q.sum().backward()
        assert torch.isfinite(z).all()
        assert torch.isfinite(log_q).all()
        assert torch.isfinite(parameters.grad).all()


def test_von_mises_fisher_features_are_direction_and_concentration():
    q = VonMisesFisher(2)(torch.tensor([[3.0, 4.0, 2.0], [-2.0, 0.0, -1e4], [0.0, 1.0, 1e9]]))
    torch.testing.assert_close(q.loc, torch.tensor([[0.6, 0.8], [-1.0, 0.0], [0.0, 1.0]]))
    least, most = CONCENTRATION_BOUNDS
    expected = torch.tensor([least + math.log1p(math.exp(2)), least, most], dtype=torch.float64)
    torch.testing.assert_close(q.concentration, expected)


def test_categories_are_groups_of_the_features():
    features = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    q = Categorical(6, categories=3)(features)
    torch.testing.assert_close(q.mean, features.unflatten(-1, (2, 3)).softmax(-1).flatten(-2))
    torch.testing.assert_close(RelaxedCategorical(6)(features).mean, features.softmax(-1))


def test_householder_turns_the_diagonal_gaussian():
    """With one reflection along the first axis, the first coordinate changes its sign."""
    features = torch.tensor([1.0, 2.0, 3.0, 0.0, 0.5, 1.0, 7.0, 0.0, 0.0])
    q = Householder(3, reflections=1)(features)
    torch.testing.assert_close(q.mean, torch.tensor([-1.0, 2.0, 3.0]))
    torch.testing.assert_close(q.variance, torch.exp(torch.tensor([0.0, 0.5, 1.0])))


@pytest.mark.parametrize("name", POSTERIORS)
def test_dimension_must_be_positive(name):
    with pytest.raises(ValueError, match=r"latent_dim .*at least [12], not 0"):
        POSTERIORS[name](0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LowRankGaussian(3, rank=0), "rank must be at least 1"),
        (lambda: Householder(3, reflections=0), "reflections must be at least 1"),
        (lambda: FlowPosterior(3, context=0), "context must be at least 1"),
        (lambda: VonMisesFisher(1), "latent_dim to be at least 2"),
        (lambda: Categorical(6, categories=4), "latent_dim = 6 must be a multiple of categories = 4"),
        (lambda: RelaxedCategorical(6, categories=1), "at least 2 categories"),
        (lambda: RelaxedCategorical(6, temperature=0.0), "temperature must be a positive number"),
        (lambda: VectorQuantized(6, categories=4), "latent_dim = 6 must be a multiple of categories = 4"),
        (lambda: VectorQuantized(6, code_dim=0), "code_dim must be at least 1"),
        (lambda: VectorQuantized(6, decay=1.0), "decay must be at least 0 and below 1, it is 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_prior_over_another_space_is_refused_in_words():
    with pytest.raises(UserError, match="VonMisesFisher posterior lives on the unit sphere and a StandardNormal prior"):
        check_same_space(VonMisesFisher(3), StandardNormal(3))
    check_same_space(VonMisesFisher(3), UniformSphere(3))
    check_same_space(nn.Identity(), UniformSphere(3))


def test_a_prior_over_other_groups_is_refused_in_words():
    for head in (Categorical(12, categories=3), VectorQuantized(12, categories=3)):
        for prior in (AutoregressiveCategorical, UniformCategorical):
            check_same_space(head, prior(12, categories=3))
            words = "makes 4 choices of 3 categories, and the prior 3 of 4: set model.posterior.categories and"
            with pytest.raises(UserError, match=words):
                check_same_space(head, prior(12, categories=4))
