"""The nearest codes, against a loop over the codebook."""

from __future__ import annotations

import math

import pytest
import torch

from lowerbound.distributions import NearestCode, OneHotGroups, kl

B, G, C, D = 5, 3, 4, 2


@pytest.fixture
def case():
    """Features [B, G, D], codes [C, D], and the index of the nearest code by a loop."""
    g = torch.Generator().manual_seed(0)
    features = torch.randn(B, G, D, generator=g, dtype=torch.float64).requires_grad_()
    codes = torch.randn(C, D, generator=g, dtype=torch.float64).requires_grad_()
    which = [[min(range(C), key=lambda c: math.dist(e.tolist(), codes[c].tolist())) for e in row] for row in features]
    return features, codes, torch.tensor(which)


def test_the_codes_are_the_nearest(case):
    features, codes, which = case
    q = NearestCode(features, codes)
    assert (q.batch_shape, q.event_shape) == ((B,), (G * C,))
    assert torch.equal(q.which, which)
    assert torch.equal(q.nearest, codes[which])
    assert torch.equal(q.mean.unflatten(-1, (G, C)).argmax(-1), which)
    assert torch.equal(q.mean.unflatten(-1, (G, C)).sum(-1), torch.ones(B, G).double())


def test_it_is_certain(case):
    features, codes, _ = case
    q = NearestCode(features, codes)
    z = q.sample((7,))
    assert z.shape == (7, B, G * C)
    assert torch.equal(z, q.mean.expand_as(z))
    assert torch.equal(q.log_prob(z), torch.zeros(7, B).double())
    assert torch.equal(q.log_prob(z.roll(1, -1)), torch.full((7, B), -math.inf).double())
    assert not q.entropy().any()
    assert not q.variance.any()


def test_its_kl_is_what_the_prior_says_of_the_choice(case):
    features, codes, which = case
    q, p = NearestCode(features, codes), OneHotGroups(torch.arange(G * C).reshape(G, C).double().sin())
    expected = [-sum(p.logits[g, which[b, g]].item() for g in range(G)) for b in range(B)]
    torch.testing.assert_close(kl(q, p, q.sample((1,)))[0], torch.tensor(expected).double())


def test_the_distance_leads_the_features_and_leaves_the_codes_alone(case):
    features, codes, which = case
    distance = NearestCode(features, codes).distance
    expected = [
        sum(math.dist(features[b, g].tolist(), codes[which[b, g]].tolist()) ** 2 for g in range(G)) for b in range(B)
    ]
    torch.testing.assert_close(distance, torch.tensor(expected).double())
    slope, none = torch.autograd.grad(distance.sum(), [features, codes], allow_unused=True)
    torch.testing.assert_close(slope, 2 * (features - codes[which]).detach())
    assert none is None
