"""Our Adam is torch's, and our clipping is torch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lowerbound.objectives import ELBO
from lowerbound.training.adam import Adam
from lowerbound.training.step import LOSS, Step, skipped
from training.cases import observed, small_vae

RATES = [0.0, 1e-3, 0.1, 0.02, 1e-5] * 40  # a rate that changes at every step, as under a schedule


def parameters(seed=0):
    g = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=g)) for shape in ((7, 5), (5,), (), (3, 2, 4))]


def gradients(step, like):
    g = torch.Generator().manual_seed(1000 + step)
    size = 10.0 ** (step % 7 - 3)
    return [size * torch.randn(p.shape, generator=g) for p in like]


def test_two_hundred_steps_are_those_of_the_fused_adam_of_torch_bit_for_bit():
    ours, theirs = parameters(), parameters()
    adam, reference = (
        Adam(ours, betas=(0.8, 0.95), epsilon=1e-6),
        torch.optim.Adam(theirs, lr=1.0, betas=(0.8, 0.95), eps=1e-6, fused=True),
    )
    for step, rate in enumerate(RATES):
        adam.step(gradients(step, ours), rate, skip=torch.zeros(()))
        for p, gradient in zip(theirs, gradients(step, theirs), strict=True):
            p.grad = gradient
        reference.param_groups[0]["lr"] = rate
        reference.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    for p, mean, square in zip(theirs, adam.means, adam.squares, strict=True):
        assert torch.equal(mean, reference.state[p]["exp_avg"])
        assert torch.equal(square, reference.state[p]["exp_avg_sq"])
    assert adam.count == len(RATES)


def test_the_steps_are_those_of_the_paper():
    # Kingma and Ba 2015, algorithm 1, written out in float64.
    ours = parameters()
    theta = [p.detach().double() for p in ours]
    m, v = [torch.zeros_like(t) for t in theta], [torch.zeros_like(t) for t in theta]
    adam = Adam(ours)
    for step, rate in enumerate(RATES[:50]):
        each = gradients(step, ours)
        for i, g in enumerate(g.double() for g in each):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g**2
            m_hat, v_hat = m[i] / (1 - 0.9 ** (step + 1)), v[i] / (1 - 0.999 ** (step + 1))
            theta[i] = theta[i] - rate * m_hat / (v_hat.sqrt() + 1e-8)
        adam.step(each, rate, skip=torch.zeros(()))
    for p, t in zip(ours, theta, strict=True):
        torch.testing.assert_close(p.double(), t, rtol=1e-4, atol=1e-5)


def test_a_skipped_step_leaves_everything_as_it_was():
    ours, theirs = parameters(), parameters()
    skipping, plain = Adam(ours), Adam(theirs)
    for step in range(20):
        if step % 3 == 1:
            before = [t.clone() for t in (*ours, *skipping.means, *skipping.squares, skipping.count)]
            bad = [torch.full_like(p, torch.nan) for p in ours]
            skipping.step(bad, 0.1, skip=torch.ones(()), divisor=torch.tensor(torch.nan))
            after = (*ours, *skipping.means, *skipping.squares, skipping.count)
            assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        skipping.step(gradients(step, ours), 0.01, skip=torch.zeros(()))
        plain.step(gradients(step, theirs), 0.01, skip=torch.zeros(()))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("clip", [1e-3, 3.0, 1e6])
def test_a_step_clips_as_torch_does(clip):
    model, reference = small_vae(), small_vae()
    adam = Adam(model.parameters())
    step = Step(model, ELBO(), nn.Identity(), adam, clip=clip, bfloat16=False)
    theirs = torch.optim.Adam(reference.parameters(), lr=0.01)
    log = torch.zeros(10, 4)
    for index in range(10):
        torch.manual_seed(index)
        step(observed(), None, log[index], 0.5, 0.01)
        torch.manual_seed(index)
        value = ELBO()(reference.trace(observed()), torch.tensor(0.5))
        theirs.zero_grad()
        value.loss.backward()
        norm = nn.utils.clip_grad_norm_(reference.parameters(), clip)
        theirs.step()
        expected = torch.stack((value.loss, norm, value.distortion, value.rate)).detach()
        torch.testing.assert_close(log[index], expected, rtol=1e-4, atol=1e-5)
    for ours, their in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, their, rtol=1e-3, atol=1e-4)


def test_a_step_is_skipped_where_loss_or_gradient_is_not_finite():
    model = small_vae()
    step = Step(model, ELBO(), nn.Identity(), Adam(model.parameters()), clip=1.0, bfloat16=False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    log = torch.zeros(3, 4)
    for index, value in enumerate((torch.nan, torch.inf, -torch.inf)):
        step(torch.full_like(observed(), value), None, log[index], 0.5, 0.01)
    assert skipped(log).all()
    assert not log[:, LOSS].isfinite().any()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    step(observed(), None, log[0], 0.5, 0.01)
    assert not skipped(log[0])
    assert not all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_parameter_that_the_loss_does_not_reach_stays():
    model = small_vae()
    model.idle = nn.Parameter(torch.ones(3))
    step = Step(model, ELBO(), nn.Identity(), Adam(model.parameters()), clip=None, bfloat16=False)
    step(observed(), None, torch.zeros(4), 0.5, 0.01)
    assert torch.equal(model.idle, torch.ones(3))
