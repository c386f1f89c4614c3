"""Every likelihood: shapes, the mean that it starts at, gradients, and bounds."""

import math

import pytest
import torch
from scipy import stats
from torch.nn.functional import one_hot

from lowerbound.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    Categorical,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Gaussian,
    Laplace,
    NegativeBinomial,
    StudentT,
    ZeroInflatedNegativeBinomial,
)

EVENTS = [(5,), (1, 4, 3), (3, 2, 2)]


def observed(name, event, n, generator):
    """Data of the kind that the likelihood observes."""
    u = torch.rand(n, *event, generator=generator)
    match name:
        case "bernoulli":
            return (u > 0.5).float()
        case "discretized-logistic" | "discretized-logistic-mixture":
            return torch.round(u * 255) / 255
        case "categorical":
            return one_hot(torch.randint(0, event[-1], (n, *event[:-1]), generator=generator), event[-1]).float()
        case "gaussian" | "laplace" | "student-t":
            return torch.randn(n, *event, generator=generator)
        case "poisson" | "negative-binomial" | "zero-inflated-negative-binomial":
            return torch.poisson(3 * u, generator=generator)
        case _:
            return u


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("name", LIKELIHOODS)
class TestEvery:
    def test_shapes_and_gradients(self, name, event):
        g = torch.Generator().manual_seed(0)
        likelihood = LIKELIHOODS[name](event)
        parameters = torch.randn(7, 6, *likelihood.parameter_shape, generator=g, requires_grad=True)
        p = likelihood(parameters)
        assert (p.batch_shape, p.event_shape) == ((7, 6), event)
        x = observed(name, event, 6, g)
        log_prob = p.log_prob(x)
        assert log_prob.shape == (7, 6)
        torch.testing.assert_close(log_prob[3, 2], likelihood(parameters[3, 2]).log_prob(x[2]))
        assert p.sample().shape == (7, 6, *event)
        log_prob.sum().backward()
        assert (parameters.grad.flatten(2).abs().sum(-1) > 0).all()

    def test_it_starts_at_the_mean(self, name, event):
        likelihood = LIKELIHOODS[name](event)
        mean = observed(name, event, 500, torch.Generator().manual_seed(0)).mean(0)
        parameters = likelihood.initial_parameters(mean)
        assert parameters.shape == likelihood.parameter_shape
        torch.testing.assert_close(likelihood(parameters).mean, mean, atol=2e-3, rtol=0)

    def test_extreme_parameters_stay_finite(self, name, event):
        likelihood = LIKELIHOODS[name](event)
        x = observed(name, event, 6, torch.Generator().manual_seed(0))
        for size in (-1e4, 0.0, 1e4):
            parameters = torch.full((6, *likelihood.parameter_shape), size, requires_grad=True)
            log_prob = likelihood(parameters).log_prob(x)
            log_prob.sum().backward()
            assert torch.isfinite(log_prob).all()
            assert torch.isfinite(parameters.grad).all()


def test_bernoulli_is_the_cross_entropy_of_logits():
    logits, x = torch.tensor([[30.0, -2.0]]), torch.tensor([0.0, 1.0])
    expected = -30.0 - math.log(1 + math.exp(2))
    assert Bernoulli((2,))(logits).log_prob(x).item() == pytest.approx(expected)


@pytest.mark.parametrize("variance", ["learned", "shared", "fixed"])
def test_gaussian_variances(variance):
    likelihood = Gaussian((3,), variance=variance, scale=0.5)
    x = torch.tensor([0.1, -2.0, 0.4])
    p = likelihood(likelihood.initial_parameters(torch.zeros(3)))
    expected = torch.distributions.Normal(torch.zeros(3), 0.5).log_prob(x).sum()
    torch.testing.assert_close(p.log_prob(x), expected)
    trainable = [name for name, _ in likelihood.named_parameters()]
    assert trainable == (["log_variance"] if variance == "shared" else [])
    assert likelihood.parameters_per_entry == (2 if variance == "learned" else 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Gaussian((2,), variance="free"), "variance must be"),
        (lambda: Gaussian((2,), scale=0.0), "scale must be a positive"),
        (lambda: DiscretizedLogistic((2,), levels=1), "levels must be at least 2"),
        (lambda: DiscretizedLogisticMixture((2,), components=0), "components must be at least 1"),
        (lambda: Laplace((2,), scale=-1.0), "scale must be a positive"),
        (lambda: StudentT((2,), degrees=1.0), "degrees must be a number above 1"),
    ],
)
def test_nonsense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_categorical_probabilities_sum_to_one():
    p = Categorical((2, 3))(torch.randn(1, 2, 3, generator=torch.Generator().manual_seed(0)))
    every = torch.stack([torch.stack([torch.eye(3)[a], torch.eye(3)[b]]) for a in range(3) for b in range(3)])
    assert p.log_prob(every).exp().sum().item() == pytest.approx(1)


def test_laplace_and_student_t_are_their_formulas():
    x = torch.tensor([0.3, -2.0])
    p = Laplace((2,), scale=0.5)
    log_prob = p(p.initial_parameters(torch.tensor([0.1, 0.2]))).log_prob(x)
    assert log_prob.item() == pytest.approx(-(0.2 + 2.2) / 0.5, abs=1e-5)  # log (2 · 0.5) = 0
    p = StudentT((2,), degrees=4.0, scale=2.0)
    log_prob = p(p.initial_parameters(torch.zeros(2))).log_prob(x)
    assert log_prob.item() == pytest.approx(stats.t(4, scale=2.0).logpdf(x.numpy()).sum(), abs=1e-5)


@pytest.mark.parametrize("make", [Laplace, StudentT, Gaussian])
def test_real_densities_integrate_to_one(make):
    x = torch.linspace(-3_000, 3_000, 600_001, dtype=torch.float64).unsqueeze(-1)
    p = make((1,))(torch.tensor([[0.3], [-0.5]], dtype=torch.float64))
    assert (p.log_prob(x).exp().sum() * 0.01).item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("make", [Laplace, StudentT])
def test_real_draws_follow_the_density(make):
    """Kolmogorov-Smirnov at level 1e-4 against scipy's, 20,000 draws, seed 0."""
    torch.manual_seed(0)
    draws = make((1,))(torch.tensor([[0.3], [-0.5]])).sample((20_000,)).flatten().numpy()
    theirs = stats.laplace if make is Laplace else stats.t(4)
    assert stats.kstest((draws - 0.3) / math.exp(-0.5), theirs.cdf).pvalue > 1e-4


def test_parameters_of_counts_are_logarithms():
    parameters = torch.tensor([[2.0], [5.0], [0.2]])
    parameters = torch.cat([parameters[:2].log(), parameters[2:].logit()])
    p = NegativeBinomial((1,))(parameters[:2])
    assert p.mean.item() == pytest.approx(2)
    assert p.variance.item() == pytest.approx(2 + 4 / 5)
    assert ZeroInflatedNegativeBinomial((1,))(parameters).mean.item() == pytest.approx(0.8 * 2)


def test_mixture_of_logistics_sums_to_one_over_256_levels():
    """With one component it is the discretized logistic; with several, and parameters of any size, a mass."""
    g = torch.Generator().manual_seed(0)
    x = torch.arange(256, dtype=torch.float64).unsqueeze(-1) / 255
    one = 5 * torch.randn(2, 1, generator=g, dtype=torch.float64)
    single = DiscretizedLogisticMixture((1,), components=1)(torch.cat([torch.zeros(1, 1), one]))
    torch.testing.assert_close(single.log_prob(x), DiscretizedLogistic((1,))(one).log_prob(x))
    for size in (1, 10):
        parameters = size * torch.randn(15, 1, generator=g, dtype=torch.float64)
        assert DiscretizedLogisticMixture((1,))(parameters).log_prob(x).exp().sum().item() == pytest.approx(1)
