"""Independent Bernoulli entries against torch's own."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent

from lowerbound.distributions import IndependentBernoulli, entrywise_log_prob


@pytest.mark.parametrize("batch", [(), (3,), (4, 3)])
@pytest.mark.parametrize("event", [(6,), (2, 3)])
def test_it_is_torch_s_bernoulli_with_the_same_gradient(batch, event):
    g = torch.Generator().manual_seed(0)
    logits = (4 * torch.randn(*batch, *event, generator=g)).requires_grad_()
    x = (torch.rand(3, *event, generator=g) > 0.5).float()
    ours, theirs = IndependentBernoulli(logits, len(event)), Independent(Bernoulli(logits=logits), len(event))
    assert (ours.batch_shape, ours.event_shape) == (batch, event)
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))
    ours_gradient = torch.autograd.grad(ours.log_prob(x).sum(), logits)
    torch.testing.assert_close(ours_gradient, torch.autograd.grad(theirs.log_prob(x).sum(), logits))


def test_sure_and_right_costs_nothing_however_many_entries():
    """No difference of large sums: 10,000 entries with logits of ±1e4."""
    x = torch.tensor([0.0, 1.0]).repeat(5_000)
    logits = (1e4 * (2 * x - 1)).requires_grad_()
    log_prob = IndependentBernoulli(logits, 1).log_prob(x)
    assert log_prob.item() == 0
    assert IndependentBernoulli(logits.detach(), 1).log_prob(x).item() == 0
    log_prob.backward()
    assert (logits.grad == 0).all()


def test_second_derivatives_are_right():
    logits = torch.tensor([-2.0, 0.3, 5.0], dtype=torch.float64, requires_grad=True)
    x = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    assert torch.autograd.gradgradcheck(lambda p: IndependentBernoulli(p, 1).log_prob(x), logits)


def test_single_entries_and_an_expanded_batch_are_still_at_hand():
    logits = torch.tensor([[0.5, -1.0, 2.0]])
    p, x = IndependentBernoulli(logits, 1), torch.tensor([[1.0, 0.0, 0.0]])
    torch.testing.assert_close(entrywise_log_prob(p, x), Bernoulli(logits=logits).log_prob(x))
    torch.testing.assert_close(entrywise_log_prob(p, x).sum(-1), p.log_prob(x))
    wide = p.expand((5, 1))
    assert wide.batch_shape == (5, 1)
    torch.testing.assert_close(wide.log_prob(x), p.log_prob(x).expand(5, 1))


@pytest.mark.parametrize("entries", [1, 2, 49, 96, 784])
def test_without_a_gradient_the_log_probability_is_the_same(entries):
    torch.manual_seed(0)
    logits = torch.randn(50, entries) * torch.tensor([1e-3, 1.0, 10.0, 100.0, 1000.0]).repeat(10)[:, None]
    x = torch.rand(50, entries).round()
    exact = Independent(Bernoulli(logits=logits.double()), 1).log_prob(x.double())
    torch.testing.assert_close(IndependentBernoulli(logits, 1).log_prob(x).double(), exact, rtol=1e-6, atol=1e-6)


def test_without_a_gradient_sure_pixels_do_not_overflow():
    logits = torch.zeros(1, 784)
    log_prob = IndependentBernoulli(logits, 1).log_prob(torch.ones(1, 784))
    torch.testing.assert_close(log_prob, torch.full((1,), -784 * math.log(2)))
