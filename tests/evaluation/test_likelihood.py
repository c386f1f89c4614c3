"""Bound and importance sampling against models whose log p(x) is known, and against the definitions."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from lowerbound.evaluation import batches, bound, importance_sampling
from lowerbound.likelihoods import Bernoulli
from lowerbound.models import VAE
from lowerbound.nn import MLP, Conditional
from lowerbound.posteriors import DiagonalGaussian, FullGaussian, LowRankGaussian
from lowerbound.priors import GaussianMixture, StandardNormal
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=2, dims=5)
SPREAD, SHIFT = 1.6, 0.3


def exact_elbo(x):
    """The lower bound under the posterior that is spread and shifted: log p(x) − KL(q ‖ p(z | x))."""
    precision = ORACLE.posterior_precision()
    return ORACLE.log_prob(x) - 0.5 * (SPREAD**2 - 1 - 2 * math.log(SPREAD) + SHIFT**2 * precision).sum()


def recorded(model):
    """Lets a model note every trace that it yields.

    The first two have one datum and two data, and are those that the memory is measured on.
    """
    traces, run = [], model.trace

    def trace(*args, **kwargs):
        traces.append(run(*args, **kwargs))
        return traces[-1]

    model.trace = trace
    return traces


def chunked(monkeypatch, pairs):
    """Lets the model run on so many pairs of a datum and a draw at once."""
    monkeypatch.setattr(batches, "_pairs_at_once", lambda *_: pairs)


@pytest.fixture
def binary_model():
    torch.manual_seed(0)
    posterior, likelihood = DiagonalGaussian(3), Bernoulli((2, 4))
    return VAE(
        Conditional(MLP((2, 4), posterior.parameter_shape, (16,)), posterior),
        Conditional(MLP((3,), likelihood.parameter_shape, (16,)), likelihood),
        StandardNormal(3),
    )


@pytest.fixture
def binary():
    return torch.bernoulli(torch.full((7, 2, 4), 0.4), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("particles", [1, 6, 50])
@pytest.mark.parametrize("pairs", [1, 4, 20, 10_000])
def test_at_the_exact_posterior_every_estimate_is_the_evidence_and_every_draw_counts(monkeypatch, particles, pairs):
    """For each of seven data, however data and particles are chunked."""
    x, model = ORACLE.sample(7), ORACLE.model()
    chunked(monkeypatch, pairs)
    estimate = importance_sampling(model, x, particles)
    torch.testing.assert_close(estimate.log_likelihood, ORACLE.log_prob(x), atol=1e-9, rtol=0)
    torch.testing.assert_close(estimate.effective_sample_size, torch.full((7,), particles).double())


def test_the_bound_at_the_exact_posterior_is_the_evidence():
    """Within 4 standard errors over 20,000 draws, seed 0; without a closed form of the KL for each draw by itself."""
    x, model = ORACLE.sample(3), ORACLE.model()
    distortion, rate = bound(model, x.repeat(20_000, 1))
    negative = (distortion + rate).view(20_000, 3)
    error = (negative.mean(0) + ORACLE.log_prob(x)).abs() / (negative.std(0) / math.sqrt(20_000))
    assert (error < 4).all()
    model.prior = unit_mixture()
    estimate = bound(model, x)
    torch.testing.assert_close(estimate.distortion + estimate.rate, -ORACLE.log_prob(x), atol=1e-9, rtol=0)


def test_the_rate_is_the_closed_form_and_several_passes_average_the_distortion():
    """The distortion within 4 standard errors of its exact mean, 20,000 passes in chunks, seed 0."""
    x, model = ORACLE.sample(3), ORACLE.model(spread=SPREAD, shift=SHIFT)
    estimate = bound(model, x, passes=20_000)
    mean, variance = ORACLE.posterior_mean(x) + SHIFT, SPREAD**2 / ORACLE.posterior_precision()
    torch.testing.assert_close(estimate.rate, 0.5 * (mean**2 + variance - 1 - variance.log()).sum(-1))
    exact = -exact_elbo(x) - estimate.rate
    spread = bound(model, x.repeat(5_000, 1)).distortion.view(5_000, 3).std(0)
    assert ((estimate.distortion - exact).abs() < 4 * spread / math.sqrt(20_000)).all()


def test_estimates_rise_from_the_lower_bound_to_the_evidence():
    """−ELBO at K = 1, then each step up by more than 4 standard errors, and no more than 4 above log p(x); seed 0."""
    x, model = ORACLE.sample(1), ORACLE.model(spread=SPREAD, shift=SHIFT)
    exact = ORACLE.log_prob(x).item()
    means, errors = [], []
    for particles, repeats in ((1, 50_000), (5, 20_000), (50, 20_000), (1000, 2_000)):
        values = importance_sampling(model, x.expand(repeats, -1), particles).log_likelihood
        means.append(values.mean().item())
        errors.append(values.std().item() / math.sqrt(repeats))
    assert abs(means[0] - exact_elbo(x).item()) < 4 * errors[0]
    for low, high, error in zip(means, means[1:], errors, strict=False):
        assert low + 4 * error < high
    assert means[2] + 4 * errors[2] < exact
    assert abs(means[3] - exact) < 4 * errors[3] + 0.01


@pytest.mark.parametrize("pairs", [1, 3, 25, 10_000])
def test_the_estimate_is_the_log_mean_exp_of_all_its_draws(monkeypatch, pairs):
    """Against sums of exponentials in plain arithmetic, over the draws as they were made in chunks."""
    x, model = ORACLE.sample(5), ORACLE.model(spread=SPREAD, shift=SHIFT)
    chunked(monkeypatch, pairs)
    traces = recorded(model)
    estimate = importance_sampling(model, x, 10)
    drawn = {}
    for trace in traces:
        for datum, log_w in zip(trace.x.tolist(), trace.log_weight().T.tolist(), strict=True):
            drawn.setdefault(tuple(datum), []).extend(log_w)
    assert max(math.prod(trace.likelihood.batch_shape) for trace in traces) <= pairs
    for i, datum in enumerate(x.tolist()):
        weights = [math.exp(w) for w in drawn[tuple(datum)]]
        assert len(weights) == 10
        assert estimate.log_likelihood[i].item() == pytest.approx(math.log(sum(weights) / 10), abs=1e-9)
        effective = sum(weights) ** 2 / sum(w**2 for w in weights)
        assert estimate.effective_sample_size[i].item() == pytest.approx(effective)


def test_weights_too_small_for_their_exponential_still_count():
    """log w of −10,000 and less, where exp is zero in every floating-point type."""
    x, model = ORACLE.sample(4) + 100, ORACLE.model()
    estimate = importance_sampling(model, x, 20)
    assert estimate.log_likelihood.max() < -10_000
    torch.testing.assert_close(estimate.log_likelihood, ORACLE.log_prob(x))
    torch.testing.assert_close(estimate.effective_sample_size, torch.full((4,), 20.0).double())


def unit_mixture():
    """The standard normal as a mixture of three, which no closed form of the KL is known for."""
    prior = GaussianMixture(2, components=3, spread=0.0)
    return prior.double()


def test_a_mixture_prior_s_evidence_is_found():
    """x | z is linear, so that p(x) is the mixture of the images of the components; 4 standard errors, seed 0."""
    torch.manual_seed(0)
    prior = GaussianMixture(2, components=3).double()
    prior.logits.data = torch.tensor([0.0, 1.0, -1.0]).double()
    prior.log_variance.data.uniform_(-1, 0.5)
    model = ORACLE.model(spread=2.0)
    model.prior = prior
    x = ORACLE.sample(2)
    noise = ORACLE.sigma**2 * torch.eye(5, dtype=torch.float64)
    covariance = ORACLE.weight * prior.log_variance.detach().exp().unsqueeze(1) @ ORACLE.weight.T + noise
    mean = prior.loc.detach() @ ORACLE.weight.T + ORACLE.bias
    each = MultivariateNormal(mean, covariance).log_prob(x.unsqueeze(1))
    exact = (prior.logits.detach().log_softmax(-1) + each).logsumexp(-1)
    values = importance_sampling(model, x.repeat(500, 1), 1000).log_likelihood.view(500, 2)
    assert ((values.mean(0) - exact).abs() < 4 * values.std(0) / math.sqrt(500) + 0.5 * values.var(0)).all()


def test_what_was_not_observed_does_not_count():
    """The evidence of the first three entries alone, within 4 standard errors, seed 0."""
    x, model = ORACLE.sample(2), ORACLE.model(spread=SPREAD)
    mask = torch.tensor([True, True, True, False, False]).expand(1_000, -1)
    weight = ORACLE.weight[:3]
    covariance = weight @ weight.T + ORACLE.sigma**2 * torch.eye(3, dtype=torch.float64)
    exact = MultivariateNormal(ORACLE.bias[:3], covariance).log_prob(x[:, :3])
    values = importance_sampling(model, x.repeat(500, 1), 500, mask=mask).log_likelihood.view(500, 2)
    assert ((values.mean(0) - exact).abs() < 4 * values.std(0) / math.sqrt(500) + 0.5 * values.var(0)).all()


def test_each_datum_keeps_its_own_context(monkeypatch):
    """x | z, c ~ N(W z + b + c, σ²), whose evidence is that of x − c, also where data and context are chunked."""

    class Shifted(nn.Module):
        def __init__(self, network, sign):
            super().__init__()
            self.network, self.sign = network, sign

        def forward(self, x, context):
            return self.network(x - context) if self.sign < 0 else self.network(x) + context

    plain, x = ORACLE.model(), ORACLE.sample(7)
    model = VAE(
        Conditional(Shifted(plain.encoder.network, -1), plain.encoder.head),
        Conditional(Shifted(plain.decoder.network, +1), plain.decoder.head),
        plain.prior,
    )
    context = torch.arange(35, dtype=torch.float64).view(7, 5)
    chunked(monkeypatch, 9)
    estimate = importance_sampling(model, x + context, 4, context=context)
    torch.testing.assert_close(estimate.log_likelihood, ORACLE.log_prob(x), atol=1e-9, rtol=0)


@pytest.mark.parametrize("estimate", [bound, importance_sampling])
def test_no_graph_is_kept_and_the_numbers_can_be_used_in_one(estimate, binary_model, binary):
    traces = recorded(binary_model)
    for values in estimate(binary_model, binary):
        assert values.shape == (7,)
        assert values.dtype == torch.float64
        assert not values.requires_grad
        (values * torch.ones(7, requires_grad=True)).sum().backward()  # an inference tensor could not be saved
    assert not any(trace.log_weight().requires_grad for trace in traces)
    assert all(parameter.grad is None for parameter in binary_model.parameters())


@pytest.mark.parametrize("estimate", [bound, importance_sampling])
def test_the_seed_decides_and_the_caller_s_random_numbers_do_not(estimate, binary_model, binary):
    torch.manual_seed(5)
    first = estimate(binary_model, binary, seed=3)
    expected = torch.rand(3)  # what comes after seed 5, had nothing been drawn in between
    second = estimate(binary_model, binary, seed=3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), expected)
    for a, b, other in zip(first, second, estimate(binary_model, binary, seed=4), strict=True):
        assert torch.equal(a, b)
        assert estimate is bound or not torch.equal(a, other)


def test_mode_and_random_numbers_are_restored_even_after_a_failure(binary_model, binary):
    binary_model.train()
    binary_model.decoder.eval()
    modes = [module.training for module in binary_model.modules()]
    before = torch.get_rng_state()
    importance_sampling(binary_model, binary, 3)
    with pytest.raises(RuntimeError):
        importance_sampling(binary_model, binary[:, :, :3], 3)
    assert [module.training for module in binary_model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_is_off(binary_model, binary):
    plain = importance_sampling(binary_model, binary, 5).log_likelihood
    binary_model.decoder.network.layers.append(nn.Dropout(0.5))
    binary_model.train()
    assert torch.equal(importance_sampling(binary_model, binary, 5).log_likelihood, plain)


@pytest.mark.parametrize("head", [DiagonalGaussian(3), LowRankGaussian(3)], ids=lambda h: str(h)[:-2])
def test_the_caller_s_autocast_has_no_effect(head, binary_model, binary):
    """Neither on the networks nor on a density that is computed with matrix products."""
    binary_model.encoder = Conditional(MLP((2, 4), head.parameter_shape, (16,)), head)
    plain = importance_sampling(binary_model, binary, 5).log_likelihood
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(importance_sampling(binary_model, binary, 5).log_likelihood, plain)


@pytest.mark.parametrize("head", [DiagonalGaussian(3), FullGaussian(3), LowRankGaussian(3)], ids=lambda h: str(h)[:-2])
def test_bfloat16_is_for_the_networks_alone(head, binary_model, binary):
    """The layers yield bfloat16, the weights are float32, and the estimate stays near that of the same draws."""
    torch.manual_seed(0)
    binary_model.encoder = Conditional(MLP((2, 4), head.parameter_shape, (16,)), head)
    exact = importance_sampling(binary_model, binary, 500)
    types = []
    for layer in binary_model.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(lambda *call: types.append(call[-1].dtype))
    traces = recorded(binary_model)
    rounded = importance_sampling(binary_model, binary, 500, precision="bfloat16")
    measured = 2 * 4  # of both measurements, each through four layers
    assert set(types[:measured]) == {torch.float32}
    assert set(types[measured:]) == {torch.bfloat16}
    assert {trace.log_weight().dtype for trace in traces} == {torch.float32}
    change = (rounded.log_likelihood - exact.log_likelihood).abs()
    assert 0 < change.max() < 0.05


def test_an_evaluation_of_nothing_is_refused(binary_model, binary):
    with pytest.raises(ValueError, match="x is empty"):
        importance_sampling(binary_model, binary[:0], 5)
    with pytest.raises(ValueError, match="At least one draw of z is needed for each datum, not 0"):
        importance_sampling(binary_model, binary, 0)
    with pytest.raises(ValueError, match="precision must be 'float32' or 'bfloat16', not 'float16'"):
        importance_sampling(binary_model, binary, 5, precision="float16")


def test_progress_goes_from_the_first_batch_to_one(monkeypatch, binary_model, binary):
    chunked(monkeypatch, 10)
    shares = []
    importance_sampling(binary_model, binary, 5, on_progress=shares.append)
    assert shares == pytest.approx([2 / 7, 4 / 7, 6 / 7, 1])


MEMORY = """
import resource, sys, torch
from lowerbound.evaluation import importance_sampling
from lowerbound.likelihoods import Bernoulli
from lowerbound.models import VAE
from lowerbound.nn import MLP, Conditional
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal

posterior, likelihood = DiagonalGaussian(8), Bernoulli((784,))
model = VAE(
    Conditional(MLP((784,), posterior.parameter_shape, (64,)), posterior),
    Conditional(MLP((8,), likelihood.parameter_shape, (64,)), likelihood),
    StandardNormal(8),
)
first, then, particles = map(int, sys.argv[1:])
importance_sampling(model, torch.zeros(first, 784), 100 if first == 1 else particles)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
importance_sampling(model, torch.zeros(then, 784), particles)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def growth(first, then, particles):
    """Bytes that the process grows by between two evaluations of so many data."""
    command = [sys.executable, "-c", MEMORY, *map(str, (first, then, particles))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)


def test_memory_does_not_grow_with_the_data():
    """Two hundred data after the first twenty, at K = 1,000: nothing of a batch is left behind when it is done."""
    assert growth(20, 200, 1_000) < 20e6


def test_memory_does_not_grow_with_the_particles():
    """Eight images at K = 5,000, whose logits alone would take 125 million bytes, and their temporaries much more.

    The process may grow by the 64 MiB that activations are allowed, and a bit for what the allocator keeps.
    """
    assert growth(1, 8, 5_000) < 100e6
