"""Every likelihood: shapes, the mean that it starts at, gradients, and bounds."""

import math

import pytest
import torch
from torch.nn.functional import one_hot

from lowerbound.likelihoods import LIKELIHOODS, Bernoulli, Categorical, DiscretizedLogistic, Gaussian

EVENTS = [(5,), (1, 4, 3), (3, 2, 2)]


def observed(name, event, n, generator):
    """Data of the kind that the likelihood observes."""
    u = torch.rand(n, *event, generator=generator)
    match name:
        case "bernoulli":
            return (u > 0.5).float()
        case "discretized-logistic":
            return torch.round(u * 255) / 255
        case "categorical":
            return one_hot(torch.randint(0, event[-1], (n, *event[:-1]), generator=generator), event[-1]).float()
        case "gaussian":
            return torch.randn(n, *event, generator=generator)
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
    ],
)
def test_nonsense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_categorical_probabilities_sum_to_one():
    p = Categorical((2, 3))(torch.randn(1, 2, 3, generator=torch.Generator().manual_seed(0)))
    every = torch.stack([torch.stack([torch.eye(3)[a], torch.eye(3)[b]]) for a in range(3) for b in range(3)])
    assert p.log_prob(every).exp().sum().item() == pytest.approx(1)
