"""The VQ-VAE: a codebook of moving averages, a gradient past the choice, and a bound that is one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lowerbound.data.preparation import Binarise
from lowerbound.distributions import NearestCode, OneHotGroups
from lowerbound.evaluation import bound, importance_sampling
from lowerbound.likelihoods import Bernoulli
from lowerbound.models import VQVAE
from lowerbound.nn import MLP, Conditional
from lowerbound.objectives import VectorQuantization
from lowerbound.posteriors import Codebook, DiagonalGaussian, VectorQuantized
from lowerbound.priors import AutoregressiveCategorical, UniformCategorical
from lowerbound.training import TrainingSettings, fit
from lowerbound.training.adam import Adam
from lowerbound.training.state import TrainingState
from lowerbound.training.step import Step
from training import cases
from training.cases import FIXED, Training, assert_same, control_c

GROUPS, CATEGORIES, CODE, EVENT, BATCH = 2, 3, 4, (5,), 6


def make(event=EVENT, groups=GROUPS, categories=CATEGORIES, hidden=(8,), decay=0.9, seed=0):
    torch.manual_seed(seed)
    head = VectorQuantized(groups * categories, categories, CODE, decay)
    pixels = Bernoulli(event)
    return VQVAE(
        Conditional(MLP(event, head.parameter_shape, hidden=hidden), head),
        Conditional(MLP(head.code_shape, pixels.parameter_shape, hidden=hidden), pixels),
        AutoregressiveCategorical(groups * categories, categories, hidden=(8,)),
    )


def ones_and_zeros(n=BATCH):
    return torch.bernoulli(torch.full((n, *EVENT), 0.5), generator=torch.Generator().manual_seed(1))


def test_the_codebook_is_that_of_the_paper_s_appendix():
    """Against N ← γN + (1 − γ)n, m ← γm + (1 − γ)Σe, code = m / N, in a loop over the features of eight batches."""
    torch.manual_seed(0)
    codebook = Codebook(CATEGORIES, CODE, decay=0.8).double()
    codebook.counts.copy_(torch.tensor([20.0, 15.0, 10.0]))
    counts = codebook.counts.tolist()
    sums = [[n * entry for entry in code] for n, code in zip(counts, codebook.codes.tolist(), strict=True)]
    for _ in range(8):
        features = torch.randn(45, CODE, dtype=torch.float64)
        codes = [[entry / n for entry in total] for n, total in zip(counts, sums, strict=True)]
        chosen = [min(range(CATEGORIES), key=lambda c: math.dist(e, codes[c])) for e in features.tolist()]
        for c in range(CATEGORIES):
            mine = [e for e, which in zip(features.tolist(), chosen, strict=True) if which == c]
            counts[c] = 0.8 * counts[c] + 0.2 * len(mine)
            sums[c] = [0.8 * sums[c][i] + 0.2 * math.fsum(e[i] for e in mine) for i in range(CODE)]
        codebook.update(features, NearestCode(features.unsqueeze(0), codebook.codes).which[0])
        expected = [[entry / n for entry in total] for n, total in zip(counts, sums, strict=True)]
        torch.testing.assert_close(codebook.codes, torch.tensor(expected).double())
        torch.testing.assert_close(codebook.counts, torch.tensor(counts).double())
        assert min(counts) > 0.1 * 45 / CATEGORIES  # none of them was put elsewhere


def test_all_codes_begin_at_features_and_one_that_nothing_chooses_goes_to_one():
    torch.manual_seed(0)
    codebook, features = Codebook(3, 2, decay=0.9), torch.randn(12, 2)

    def at_a_feature(code):
        return bool((code == features).all(-1).any())

    codebook.update(features, torch.zeros(12, dtype=torch.long))
    assert all(at_a_feature(code) for code in codebook.codes)
    assert len(codebook.codes.unique(dim=0)) == 3
    assert codebook.counts.tolist() == [4, 4, 4]
    codebook.codes[2] = 1e3
    for _ in range(22):  # 0.9^22 is the first power that is below a tenth
        codebook.update(features, torch.arange(12) % 2)
        assert not at_a_feature(codebook.codes[2])
    assert codebook.counts[2] < 0.4
    codebook.update(features, torch.arange(12) % 2)
    assert at_a_feature(codebook.codes[2])
    assert not any(at_a_feature(code) for code in codebook.codes[:2])
    assert codebook.counts[2] == 4


def test_features_that_are_not_finite_leave_the_codebook_alone():
    codebook, features = Codebook(3, 2, decay=0.9), torch.randn(12, 2)
    codebook.update(features, torch.arange(12) % 3)
    before = [tensor.clone() for tensor in codebook.state_dict().values()]
    features[3, 1] = math.nan
    codebook.update(features, torch.arange(12) % 3)
    assert all(map(torch.equal, before, codebook.state_dict().values()))


def test_the_gradient_goes_straight_through_the_choice():
    """What reaches the features is the gradient with respect to the codes, and β times that of the distance."""
    model, x = make().eval(), ones_and_zeros()
    features = model.encoder.network(x).detach()
    q = model.head(features)
    codes = q.nearest.clone().requires_grad_()
    (expected,) = torch.autograd.grad(-model.decoder(codes).log_prob(x).mean(), codes)
    expected = expected + 0.7 * 2 * (features - q.nearest) / BATCH
    trace = model.trace(x, pathwise=False)
    value = VectorQuantization(commitment=0.7)(trace, torch.tensor(0.5))
    (slope,) = torch.autograd.grad(value.loss, trace.latents[0].posterior.features, retain_graph=True)
    torch.testing.assert_close(slope, expected)
    value.loss.backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())


def test_the_rate_trains_the_prior_alone():
    model = make().eval()
    trace = model.trace(ones_and_zeros(), pathwise=False)
    trace.kl().mean().backward()
    assert all(p.grad is not None for p in model.prior.parameters())
    assert all(p.grad is None for part in (model.encoder, model.decoder) for p in part.parameters())


@pytest.fixture
def every_state():
    """A model, data, and log p(x, z) of every state of z [S, B], with the states [S, D]."""
    model, x = make().eval().double(), ones_and_zeros().double()
    z = OneHotGroups(torch.zeros(GROUPS, CATEGORIES, dtype=torch.float64)).enumerate_support()
    with torch.no_grad():
        joint = model.decode(z.unsqueeze(1)).log_prob(x) + model.prior().log_prob(z).unsqueeze(1)
    return model, x, z, joint


@pytest.mark.parametrize("particles", [1, 7, 50])
def test_every_estimate_is_the_joint_density_at_the_chosen_codes(every_state, particles):
    model, x, z, joint = every_state
    with torch.no_grad():
        which = [(z == code).all(-1).nonzero().item() for code in model.embed(x)]
    expected = joint[which, torch.arange(BATCH)]
    distortion, rate = bound(model, x, passes=particles)
    torch.testing.assert_close(-distortion - rate, expected)
    estimate = importance_sampling(model, x, particles)
    torch.testing.assert_close(estimate.log_likelihood, expected)
    torch.testing.assert_close(estimate.effective_sample_size, torch.full((BATCH,), float(particles)).double())


def test_it_is_a_lower_bound_on_the_likelihood_by_enumeration(every_state):
    model, x, _, joint = every_state
    distortion, rate = bound(model, x)
    assert (-distortion - rate < joint.logsumexp(0)).all()


def test_it_samples_by_its_prior(every_state):
    """The mean over 40,000 draws of p(x | z), z ~ p(z), within 5 standard errors of enumeration, seed 0."""
    model, _, z, _ = every_state
    torch.manual_seed(0)
    with torch.no_grad():
        each, mass = model.decode(z).mean, model.prior().log_prob(z).exp()
        drawn = model.generate(40_000).mean
    exact = mass @ each
    assert ((drawn.mean(0) - exact).abs() < 5 * (mass @ (each - exact).square() / 40_000).sqrt()).all()


def test_only_a_training_moves_the_codebook():
    model, x = make(), ones_and_zeros()
    before = [tensor.clone() for tensor in model.head.codebook.state_dict().values()]
    bound(model, x)
    model.eval()
    model.trace(x, pathwise=False)
    model.embed(x)
    assert all(map(torch.equal, before, model.head.codebook.state_dict().values()))
    model.train()
    model.trace(x, pathwise=False)
    assert not any(map(torch.equal, before, model.head.codebook.state_dict().values()))


def test_a_rehearsal_of_a_step_leaves_the_codebook_as_it_was():
    model, x = make(), ones_and_zeros()
    adam = Adam(model.parameters(), betas=(0.9, 0.999))
    step = Step(model, VectorQuantization(), nn.Identity(), adam, clip=None, bfloat16=False)
    before = [tensor.clone() for tensor in model.head.codebook.state_dict().values()]
    step.rehearse(x, None)
    assert all(map(torch.equal, before, model.head.codebook.state_dict().values()))


def test_the_averaged_weights_have_an_average_of_the_codebook():
    model, x = make(), ones_and_zeros()
    adam = Adam(model.parameters(), betas=(0.9, 0.999))
    state = TrainingState(model, None, adam, {}, torch.zeros(1, 4), averaging=True)
    average = model.head.codebook.codes.clone()
    for step in range(1, 6):
        model.trace(x, pathwise=False)
        state.position.step = step
        state.average(0.999)
        kept = (1 + step) / (10 + step)
        average = kept * average + (1 - kept) * model.head.codebook.codes
    torch.testing.assert_close(state.averaged.head.codebook.codes, average)
    assert not torch.equal(average, model.head.codebook.codes)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_interrupted_at_any_step_a_training_ends_in_the_same_codebook(tmp_path, monkeypatch, precision):
    monkeypatch.setattr(cases, "small_vae", lambda _: make(cases.EVENT))
    whole = Training(tmp_path / "whole", objective=VectorQuantization(), changes={"precision": precision})
    whole.run()
    assert whole.result.stopped == "epochs"
    for step in (1, 4, 6, 11):
        broken = Training(tmp_path / f"broken-{step}", objective=VectorQuantization(), changes={"precision": precision})
        assert broken.run(before={step: control_c}).stopped == "interrupted"
        broken.run(resume=True)
        assert_same(whole, broken)
    assert {"codes", "counts"} == set(whole.model.head.codebook.state_dict())


def test_it_learns_four_patterns_by_heart():
    """−ELBO of images that are one of four, none of which is likelier: log 4 at best, below 0.2 nats more, seed 0."""
    patterns = (torch.tensor([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [1, 0, 1, 0, 1], [0, 1, 0, 1, 1]]) * 255).to(
        torch.uint8
    )
    x = patterns.repeat(16, 1)
    model = make(groups=1, categories=4, hidden=(16,), decay=0.9)
    settings = TrainingSettings(**FIXED, epochs=100, batch_size=32, learning_rate=0.02, average=0.0)
    fit(model, VectorQuantization(), x, None, settings, seed=0, prepare=Binarise(255))
    distortion, rate = bound(model, patterns / 255)
    assert math.log(4) < (distortion + rate).mean() + 1e-3
    assert (distortion + rate).mean() < math.log(4) + 0.2
    assert len(model.embed(patterns / 255).unique(dim=0)) == 4


def test_what_it_cannot_do_is_refused_in_words():
    model = make()
    with pytest.raises(ValueError, match="cannot be reparameterized: use the objective vq-vae"):
        model.trace(ones_and_zeros())
    head = DiagonalGaussian(6)
    other = VQVAE(Conditional(MLP(EVENT, head.parameter_shape), head), model.decoder, UniformCategorical(6))
    with pytest.raises(ValueError, match="needs an encoder with a VectorQuantized head, not DiagonalGaussian"):
        other.trace(ones_and_zeros(), pathwise=False)
