"""Choices that depend on one another, by enumeration of their states."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from lowerbound.distributions import AutoregressiveOneHot, OneHotGroups
from lowerbound.priors import AutoregressiveCategorical

GROUPS, CATEGORIES = 3, 3


def network(hidden=(8,)):
    torch.manual_seed(0)
    prior = AutoregressiveCategorical(GROUPS * CATEGORIES, CATEGORIES, hidden).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(4)  # so that the groups do depend on one another
    return prior


def states(groups=GROUPS):
    return OneHotGroups(torch.zeros(groups, CATEGORIES, dtype=torch.float64)).enumerate_support()


@pytest.mark.parametrize("hidden", [(), (8,), (7, 5)])
def test_masses_add_up(hidden):
    p, each = network(hidden)(), states()
    mass = p.log_prob(each).exp()
    assert mass.sum().item() == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(p.log_prob(each.reshape(9, 3, 9)).exp().flatten(), mass)


def test_each_group_depends_on_all_that_came_before_and_on_nothing_else():
    prior = network((7, 5))
    z = states()[5]
    slopes = torch.autograd.functional.jacobian(lambda z: prior.logits(z).sum(-1), z).unflatten(-1, (GROUPS, -1))
    seen = (slopes.abs().sum(-1) > 0).int().tolist()
    assert seen == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]


def test_the_conditionals_are_those_of_the_joint():
    """p(z_g | z_<g) by summing the joint mass over what comes later, against the network's own."""
    prior = network()
    each = states().unflatten(-1, (GROUPS, CATEGORIES))
    mass = prior().log_prob(each.flatten(-2)).exp()
    for z in each:
        conditional = prior.logits(z.flatten()).softmax(-1)
        for group in range(GROUPS):
            same = (each[:, :group] == z[:group]).flatten(1).all(-1)
            here = same & (each[:, group] == z[group]).all(-1)
            expected = mass[here].sum() / mass[same].sum()
            torch.testing.assert_close((conditional[group] * z[group]).sum(), expected)


def test_one_group_is_a_plain_choice():
    torch.manual_seed(0)
    prior = AutoregressiveCategorical(CATEGORIES, hidden=(4,)).double()
    with torch.no_grad():
        prior.network[-1].bias.copy_(torch.tensor([0.0, 1.0, -1.0]))
    torch.testing.assert_close(prior().log_prob(states(1)).exp().sum(), torch.ones((), dtype=torch.float64))
    torch.testing.assert_close(prior().log_prob(states(1)), torch.tensor([0.0, 1.0, -1.0]).double().log_softmax(-1))


def test_draws_follow_the_mass():
    """χ² over the 27 states at level 1e-4, 20,000 draws, seed 0."""
    p = network()()
    torch.manual_seed(0)
    z = p.sample((100, 200))
    assert z.shape == (100, 200, GROUPS * CATEGORIES)
    counts = (z.reshape(-1, 1, 9) == states()).all(-1).sum(0)
    assert counts.sum() == 20_000
    expected = 20_000 * p.log_prob(states()).exp().detach()
    # States that nothing is expected of are one, as the test asks.
    rare = expected < 5
    counts, expected = ([*each[~rare].tolist(), each[rare].sum().item()] for each in (counts, expected))
    assert len(counts) > 10
    assert stats.chisquare(counts, expected).pvalue > 1e-4


def test_the_mean_is_that_of_the_marginals_and_no_random_number_is_used():
    """The first group exactly, the others within 5 standard errors of 256 draws."""
    p = network()()
    mass, before = p.log_prob(states()).exp(), torch.get_rng_state()
    exact = (mass.unsqueeze(-1) * states()).sum(0)
    torch.testing.assert_close(p.mean[:CATEGORIES], exact[:CATEGORIES])
    assert ((p.mean - exact).abs() < 5 * (exact * (1 - exact) / 256).sqrt() + 1e-12).all()
    assert torch.equal(p.mean, p.mean)
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_have_the_type_of_the_network():
    p = AutoregressiveOneHot(lambda z: torch.zeros(*z.shape[:-1], 2, 3), 2, 3, torch.zeros(1, dtype=torch.bfloat16))
    z = p.sample((5,))
    assert z.dtype == torch.bfloat16
    assert (z.unflatten(-1, (2, 3)).sum(-1) == 1).all()
