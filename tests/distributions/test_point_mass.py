"""A point that is certain."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Independent, Normal

from lowerbound.distributions import PointMass, kl
from lowerbound.errors import UserError


def test_every_draw_is_the_point_and_carries_its_gradient():
    loc = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    q = PointMass(loc)
    assert (q.batch_shape, q.event_shape) == ((4,), (3,))
    z = q.rsample((5, 2))
    assert torch.equal(z, loc.expand(5, 2, 4, 3))
    assert torch.equal(q.mean, loc)
    assert not q.variance.any()
    (slope,) = torch.autograd.grad((z * torch.arange(3.0)).sum(), loc)
    torch.testing.assert_close(slope, 10 * torch.arange(3.0).expand(4, 3))


def test_it_has_no_density_and_no_divergence_in_one_sentence():
    q, p = PointMass(torch.zeros(4, 3)), Independent(Normal(torch.zeros(3), 1.0), 1)
    for ask in (lambda: q.log_prob(torch.zeros(4, 3)), lambda: kl(q, p, q.rsample((1,)))):
        with pytest.raises(UserError, match="a point without a density, so that there is neither a bound nor") as error:
            ask()
        assert len(str(error.value).rstrip(".").split(". ")) == 1
